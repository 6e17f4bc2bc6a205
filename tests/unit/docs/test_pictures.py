"""The pictures of the pages: the same whoever makes them, whole, and self-contained."""

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
    lines = [
        (element.text or "").replace("\xa0", " ").strip() for element in picture.iter(f"{SVG}text")
    ]
    return [text for text in lines if text]


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
    lines = texts("watch.svg")
    at = lines.index("UNDER WAY")
    assert lines[at + 1 : at + 3] == ["SINCE", "BY"]
    assert lines[at + 4 : at + 6] == [f"{WATCHED_SECONDS} s", OWNER]
    growth = "32 cores, 128 GiB (wanted: 48 cores, 192 GiB; joining: 16 cores, 64 GiB)"
    assert growth in lines
    joins, server = lines[at + 3].split()
    assert joins == "join"
    line = next(text for text in lines if text.startswith(server))
    assert line.endswith("bootstrapping")


def test_who_joined_is_a_worker_afterwards_and_one_is_not_well() -> None:
    lines = texts("show.svg")
    assert "48 cores, 192 GiB (wanted: 48 cores, 192 GiB)" in lines
    assert [text for text in lines if text.startswith("member, NotReady since")]
    assert lines.count("cluster web") == 2
