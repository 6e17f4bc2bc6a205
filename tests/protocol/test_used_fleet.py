"""What a plan says comes true on a fleet in use: one apply does it, while other clusters grow.

Uids are drawn, and so each run picks other servers: `make soak` runs each story many times.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from protocol.site_config import cluster, server, site
from protocol.workspace import Ran, Workspace

NO_CHANGES = 0
CORES, MEMORY = 8, 32
"""Of each server of `site()`."""


def times(soak: int) -> pytest.MarkDecorator:
    """Once in every test run, and so many times more in a soak."""
    more = [pytest.param(run, marks=pytest.mark.soak) for run in range(1, soak)]
    return pytest.mark.parametrize("run", [0, *more])


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


def one(number: int, workers: int, control_planes: int = 1, **more: Any) -> dict[str, Any]:
    endpoint = {"vip": f"10.0.1.{number}"}
    size = {"cores": CORES * workers, "memory": MEMORY * workers}
    control_plane = {"servers": control_planes, "endpoint": endpoint}
    return cluster(name=f"c{number}", control_plane=control_plane, **size, **more)


def applied(workspace: Workspace, *options: str, **written: Any) -> Ran:
    """One apply, after which nothing is left to do."""
    workspace.write(**written)
    ran = workspace.apply(*options)
    assert ran.status == 0, ran.output
    again = workspace.plan()
    assert again.status == NO_CHANGES, again.output
    return ran


def members(workspace: Workspace) -> dict[str, set[str]]:
    """The servers of each cluster of the state."""
    resources = json.loads((workspace.folder / "terraform.tfstate").read_text())["resources"]
    clusters = [(r["name"], r["instances"][0]["attributes"]) for r in resources]
    return {name: set(attributes["servers"]) for name, attributes in clusters}


def announced(output: str, name: str) -> set[str]:
    """The servers that the last warning about a create names."""
    words = " ".join(output.replace("│", " ").split())
    pattern = rf"Cluster {name} will likely take.*?Control plane: (.*?)\. Workers: (.*?)\. "
    *_, (control_plane, workers) = re.findall(pattern, words)
    return set(f"{control_plane}, {workers}".split(", "))


@times(20)
def test_a_cluster_grows_by_ten_beside_others_of_its_state(workspace: Workspace, run: int) -> None:
    others = {f"c{number}": one(number, 8, control_planes=3) for number in (1, 2, 3)}
    applied(workspace, site_values=site(60), batch=one(9, 2), **others)
    applied(workspace, site_values=site(60), batch=one(9, 12), **others)
    assert len(members(workspace)["batch"]) == 13


@times(20)
def test_a_cluster_grows_by_ten_beside_others_of_another_state(
    tmp_path: Path, world_file: Path, run: int
) -> None:
    """It learns of the others by observing. Where a plan misses one, the next plan knows it."""
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    workspace = Workspace(tmp_path / "one", world_file)
    other = Workspace(tmp_path / "other", world_file)
    others = {f"c{number}": one(number, 8, control_planes=3) for number in (1, 2, 3)}
    applied(other, site_values=site(60), **others)
    applied(workspace, site_values=site(60), batch=one(9, 2))
    workspace.write(site_values=site(60), batch=one(9, 12))
    if (first := workspace.apply()).status != 0:
        assert "Plan again" in first
        assert workspace.apply().status == 0
    assert workspace.plan().status == NO_CHANGES


@times(10)
def test_a_cluster_moves_to_a_zone_half_of_which_another_has(
    workspace: Workspace, run: int
) -> None:
    zones = {"here": range(1, 5), "there": range(5, 11)}
    fleet = {f"s{n}": server(n, zone=zone) for zone, numbers in zones.items() for n in numbers}
    site_values = site() | {"fleet": fleet}
    half = one(1, 2, selector={"zones": ["there"]})
    applied(
        workspace, site_values=site_values, half=half, c2=one(2, 2, selector={"zones": ["here"]})
    )
    applied(
        workspace, site_values=site_values, half=half, c2=one(2, 2, selector={"zones": ["there"]})
    )
    assert (
        members(workspace)["c2"] == {f"s{n}" for n in zones["there"]} - members(workspace)["half"]
    )


@pytest.mark.parametrize("parallelism", [1, 10, 20])
@times(10)
def test_ten_clusters_are_made_and_grow_in_one_apply_each(
    workspace: Workspace, parallelism: int, run: int
) -> None:
    at_once = f"-parallelism={parallelism}"
    ten = {f"c{number}": one(number, 2) for number in range(1, 11)}
    output = applied(workspace, at_once, site_values=site(56), **ten).output
    if parallelism > 1:
        assert {name: announced(output, name) for name in ten} == members(workspace)
    ten = {f"c{number}": one(number, 4) for number in range(1, 11)}
    applied(workspace, at_once, site_values=site(56), **ten)
    sizes = [len(servers) for servers in members(workspace).values()]
    assert sizes == [5] * 10


@times(10)
def test_clusters_are_made_while_others_grow(workspace: Workspace, run: int) -> None:
    grown = {f"c{number}": one(number, 2) for number in range(1, 6)}
    applied(workspace, site_values=site(40), **grown)
    grown = {f"c{number}": one(number, 4) for number in range(1, 6)}
    new = {f"c{number}": one(number, 3) for number in range(6, 9)}
    applied(workspace, site_values=site(40), **grown, **new)
    assert sum(len(servers) for servers in members(workspace).values()) == 37


@times(20)
def test_a_create_takes_the_servers_that_its_plan_announced(workspace: Workspace, run: int) -> None:
    """Beside a cluster of the same state. The plan says it once more while it is applied."""
    applied(workspace, site_values=site(20), c1=one(1, 3))
    new = one(2, 5, control_planes=3)
    workspace.write(site_values=site(20), c1=one(1, 3), c2=new)
    planned = workspace.plan()
    taken = applied(workspace, site_values=site(20), c1=one(1, 3), c2=new)
    assert members(workspace)["c2"] == announced(planned.output, "c2")
    assert members(workspace)["c2"] == announced(taken.output, "c2")


@times(10)
def test_clusters_made_at_once_take_what_each_was_announced(workspace: Workspace, run: int) -> None:
    """All servers are alike, with none to spare. Plan and apply have different orders."""
    five = {f"c{number}": one(number, 2) for number in range(1, 6)}
    output = applied(workspace, site_values=site(15), **five).output
    assert {name: announced(output, name) for name in five} == members(workspace)


@times(10)
def test_clusters_that_do_not_fit_together_ruin_none(workspace: Workspace, run: int) -> None:
    """Room for three of four: three are made, and the fourth says what is missing, and why."""
    four: dict[str, Any] = {f"c{number}": one(number, 3) for number in range(1, 5)}
    workspace.write(site_values=site(14), **four)
    ran = workspace.apply()
    assert ran.status == 1
    assert ran.output.count("Error: ") == 1, ran.output
    assert "does not fit" in ran
    assert "Missing: " in ran
    made = members(workspace)
    assert sorted(map(len, made.values())) == [4, 4, 4]
    remaining: dict[str, Any] = {name: config for name, config in four.items() if name in made}
    workspace.write(site_values=site(14), **remaining)
    assert workspace.plan().status == NO_CHANGES
