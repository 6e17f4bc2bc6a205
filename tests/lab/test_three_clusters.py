"""Three clusters by `for_each`, made in one apply and grown in one, until the fleet is full."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from desk import EXAMPLE, Desk
from lab.settings import write_variables
from scenarios.state import resources

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("plain_start"),
]
NAMES = ("a", "b", "c")
NO_CHANGES = 0


def write(desk: Desk, cores: Mapping[str, int]) -> None:
    """Each cluster has twice as many GiB as cores, as the lab's servers have."""
    vips = zip(NAMES, desk.site["vips"], strict=False)
    clusters = {n: {"vip": vip, "cores": cores[n], "memory": 2 * cores[n]} for n, vip in vips}
    (desk.folder / "clusters.auto.tfvars.json").write_text(json.dumps({"clusters": clusters}))


def applied(desk: Desk) -> tuple[str, float]:
    """The output and the seconds of one apply; a plan after it is empty."""
    start = time.monotonic()
    done = desk.terraform("apply", "-auto-approve")
    seconds = time.monotonic() - start
    assert done.returncode == 0, done.stdout + done.stderr
    again = desk.terraform("plan", "-detailed-exitcode")
    assert again.returncode == NO_CHANGES, again.stdout + again.stderr
    return " ".join((done.stdout + done.stderr).replace("│", " ").split()), seconds


def members(desk: Desk) -> dict[str, set[str]]:
    (clusters,) = [found for found in resources(desk.folder) if found["type"] == "rpool_cluster"]
    return {
        cluster["index_key"]: set(cluster["attributes"]["servers"])
        for cluster in clusters["instances"]
    }


def announced(output: str, name: str) -> set[str]:
    """The servers that the warning about a create has named."""
    pattern = rf"Cluster {name} will likely take.*?Control plane: (.*?)\. Workers: (.*?)\. "
    *_, parts = re.findall(pattern, output)
    return set(", ".join(parts).split(", "))


def test_three_clusters_are_made_and_grown_in_one_apply_each(
    desk: Desk, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    here = replace(desk, folder=tmp_path)
    shutil.copy(Path(__file__).with_name("three_clusters.tf"), tmp_path)
    shutil.copy(EXAMPLE / "variables.tf", tmp_path)
    write_variables(desk.lab, tmp_path)
    try:
        # Workers of 8, 8 and 16 cores: then the lab's three spares are alike, one for each.
        made_with = {"a": 8, "b": 8, "c": 16}
        write(here, made_with)
        output, seconds = applied(here)
        figure(f"three clusters of 1 + 1 in one apply: {seconds:.1f} s")
        made = members(here)
        assert {name: announced(output, name) for name in NAMES} == made
        assert sum(map(len, made.values())) == len(set().union(*made.values())) == 6

        write(here, {name: cores + 4 for name, cores in made_with.items()})
        _, seconds = applied(here)
        figure(f"each of the three grown by a worker in one apply: {seconds:.1f} s")
        grown = members(here)
        assert all(made[name] < grown[name] for name in NAMES)
        owners = {server: claim["pool"] for server, claim in here.claims().items()}
        assert owners == {server: name for name, servers in grown.items() for server in servers}
        assert len(owners) == len(desk.lab.fleet)
    finally:
        destroyed = here.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert here.claims() == {}
