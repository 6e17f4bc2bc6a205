"""The pictures of the pages: the same for everybody who makes them, whole, and alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rpool_docs.pages import PICTURES
from rpool_docs.pictures import OWNER, WATCHED_SECONDS, pictures

SVG = "{http://www.w3.org/2000/svg}"
NAMES = sorted(path.name for path in PICTURES.glob("*"))


def texts(name: str) -> list[str]:
    """What a picture says, in its order."""
    picture = ET.parse(PICTURES / name)  # noqa: S314 ours
    said = [(its.text or "").replace("\xa0", " ").strip() for its in picture.iter(f"{SVG}text")]
    return [its for its in said if its]


def test_another_process_draws_the_same() -> None:
    """With another order of sets, and on another clock."""
    program = "from rpool_docs.pictures import pictures; print(dict(pictures()))"
    drawn = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }  # fmt: skip
    assert drawn == {f"{dict(pictures())}\n"}


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_loads_nothing_and_tells_of_no_machine(name: str) -> None:
    text = (PICTURES / name).read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert re.findall(r"https?:|@import|@font-face|href=", text) == []
    assert re.findall(r"url\((?!#)", text) == []
    assert str(Path.home()) not in text
    assert str(PICTURES.parents[1]) not in text


def test_a_join_is_seen_while_it_is_under_way() -> None:
    said = texts("watch.svg")
    at = said.index("UNDER WAY")
    assert said[at + 1 : at + 3] == ["SINCE", "BY"]
    assert said[at + 4 : at + 6] == [f"{WATCHED_SECONDS} s", OWNER]
    growth = "32 cores, 128 GiB (wanted: 48 cores, 192 GiB; on their way: 16 cores, 64 GiB)"
    assert growth in said
    joins, server = said[at + 3].split()
    assert joins == "join"
    line = next(its for its in said if its.startswith(server))
    assert line.endswith("bootstrapping")


def test_who_joined_is_a_worker_afterwards_and_one_is_not_well() -> None:
    said = texts("show.svg")
    assert "48 cores, 192 GiB (wanted: 48 cores, 192 GiB)" in said
    assert [its for its in said if its.startswith("member, NotReady since")]
    assert said.count("cluster web") == 2
