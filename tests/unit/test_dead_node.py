"""A server of an rpool_node that is dead for good: what its cluster does, and how another one takes
its place.
"""

from __future__ import annotations

import pytest
from following import Desk, follows, read, with_cluster
from test_repair import die, of, planned, run
from test_returned import release
from worlds.stage import SPEC

from rpool.advice import Do
from rpool.model.pool import NodeSpec
from rpool.model.server import Role
from rpool.model.view import Condition

GPU = NodeSpec({"accelerator": "h100"})


def with_node() -> tuple[Desk, str, str]:
    """A cluster with an rpool_node's server, and another one that is reserved."""
    desk = with_cluster(count=14)
    old, other = sorted(desk.stage.world.machines.keys() - desk.view().servers.keys())[-2:]
    desk.mark(old, other, reserved=True)
    put(desk, old)
    desk.succeeds()
    desk.stage.acted.clear()
    return desk, old, other


def put(desk: Desk, server: str) -> None:
    desk.write(SPEC, **{server: ("batch", GPU)})


def test_a_dead_one_does_not_count_for_the_repair_of_the_cluster_s_own() -> None:
    desk, dead, _ = with_node()
    own = of(desk, Role.WORKER)[-1]
    die(desk, dead, own)
    text = planned(desk)[2]
    assert "max_lost" not in text
    assert "It counts as lost: another server takes its place, if there is one." in text
    desk.apply()
    assert own not in desk.view().servers


@pytest.mark.parametrize("way", ["brought back", "replaced", "removed"])
@follows(Do.MEND_NODES)
def test_until_it_is_marked_it_is_an_error_that_says_what_to_do(way: str) -> None:
    desk, dead, other = with_node()
    die(desk, dead)
    text = planned(desk)[2]
    read(Do.MEND_NODES, text, servers=dead)
    assert "another server takes its place" not in text
    text = desk.refused()
    assert f"nothing was done about {dead}" in text
    read(Do.MEND_NODES, text, servers=dead)
    if way == "brought back":
        desk.power(dead, on=True)
    else:
        desk.mark(dead, lost=True)
        desk.write(SPEC, **{other: ("batch", GPU)} if way == "replaced" else {})
    desk.succeeds()
    nodes = desk.stage.cluster(desk.view()).nodes
    assert (dead in nodes, other in nodes) == (way == "brought back", way == "replaced")


@pytest.mark.parametrize("alive", [False, True])
@pytest.mark.parametrize("way", ["replaced", "removed"])
@follows(Do.REPLACE_NODE)
def test_once_it_is_marked_it_is_a_warning_that_says_what_to_do(way: str, alive: bool) -> None:
    desk, marked, other = with_node()
    if not alive:
        die(desk, marked)
    desk.mark(marked, lost=True)
    ran = run(desk)
    assert ran.errors == []
    text = "\n".join(ran.warnings)
    assert "unhealthy" not in text
    assert f"{marked} is marked lost = true in the fleet, and stays in its cluster" in text
    read(Do.REPLACE_NODE, text)
    assert desk.view().condition is Condition.SETTLED
    assert run(desk).was_empty
    desk.write(SPEC, **{other: ("batch", GPU)} if way == "replaced" else {})
    desk.succeeds()
    nodes = desk.stage.cluster(desk.view()).nodes
    assert (marked in nodes, other in nodes) == (False, way == "replaced")


def test_an_own_one_and_a_node_s_are_told_apart() -> None:
    desk, dead, _ = with_node()
    own = of(desk, Role.WORKER)[-2:]
    die(desk, dead, *own)
    text = planned(desk)[2]
    assert "2 members are unhealthy at once, and repair.max_lost is 1" in text
    assert Do.LIFT_BRAKE.text(servers=", ".join(own)) in text
    assert Do.MEND_NODES.text(servers=dead) in text


@pytest.mark.parametrize("way", ["an apply", "an apply, nothing registers", "a release"])
def test_the_old_one_goes_with_its_mark_and_is_wiped_when_it_returns(way: str) -> None:
    desk, dead, other = with_node()
    die(desk, dead)
    put(desk, other)
    errors = desk.refused()
    assert f"{dead} is to leave, but cannot be reached" in errors
    read(Do.BRING_BACK, errors, servers=dead)
    desk.mark(dead, lost=True)
    desk.succeeds()
    cluster = desk.stage.cluster(desk.view())
    assert (dead in cluster.nodes, other in cluster.nodes) == (False, True)
    assert desk.stage.machine(dead).claim is not None
    desk.mark(dead, lost=False)
    if way == "an apply":
        desk.power(dead, on=True)
    else:
        desk.stage.machine(dead).powered = True  # and its kubelet registers nothing
    if way == "a release":
        release(desk, dead, desk.view().uid)
    desk.succeeds()
    assert desk.stage.world.probe(dead).is_spare
