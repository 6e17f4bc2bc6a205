"""Promises of the repair that are broken still: each test fails."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from following import Desk, with_cluster
from test_repair import die, of, planned
from test_returned import release
from worlds.stage import ONE, SPEC, Stage

from rpool.errors import Refused
from rpool.model.pool import NodeSpec, Repair, RepairMode
from rpool.model.server import Role


def test_the_only_control_plane_is_not_released_while_its_api_restarts() -> None:
    desk = with_cluster(ONE)
    (only,) = desk.view().control_planes
    uid = desk.view().uid
    desk.stage.machine(only).stepped_down = True  # its kube-apiserver restarts, say
    with pytest.raises(Refused):
        release(desk, only, uid)
    assert desk.stage.machine(only).claim is not None


def node(desk: Desk) -> str:
    spare = sorted(desk.stage.world.machines.keys() - desk.view().servers.keys())[-1]
    desk.mark(spare, reserved=True)
    desk.write(SPEC, **{spare: ("batch", NodeSpec())})
    desk.succeeds()
    return spare


@pytest.mark.parametrize("mark", [False, True])
def test_a_dead_node_is_named_anew(mark: bool) -> None:
    desk = with_cluster(count=14)
    dead = node(desk)
    die(desk, dead)
    said = planned(desk)[2]
    assert "it is an rpool_node's" in said
    assert "names it" in desk.refused()
    if mark:
        desk.mark(dead, lost=True)
    other = sorted(desk.stage.world.machines.keys() - desk.view().servers.keys() - {dead})[-1]
    desk.mark(other, reserved=True)
    desk.write(SPEC, **{other: ("batch", NodeSpec())})
    desk.succeeds()


def test_a_dead_node_that_is_marked_lost_alone() -> None:
    desk = with_cluster(count=14)
    dead = node(desk)
    die(desk, dead)
    desk.apply()
    desk.mark(dead, lost=True)
    for _ in range(2):
        run = desk.state.apply(desk.wanted, threading.Event())
        print(run.changes, run.errors, run.warnings)
    assert run.was_empty or run.errors == []


def test_a_mode_that_becomes_warn_does_not_say_settled() -> None:
    desk = with_cluster()
    die(desk, of(desk, Role.WORKER)[-1])
    desk.write(replace(SPEC, repair=Repair(mode=RepairMode.WARN)))
    _, plan, _ = planned(desk)
    assert plan.values is not None
    assert plan.values["condition"] != "settled"


def test_of_two_clusters_that_lose_one_each_the_one_without_a_spare_keeps_its_dead_member() -> None:
    """Both plan the same spare; who is too late has let its dead one go, and is settled."""
    endpoint = replace(SPEC.control_plane.endpoint, vip="10.0.1.201")
    planes = replace(SPEC.control_plane, servers=1, endpoint=endpoint)
    other = replace(SPEC, name="other", metallb_pools={}, control_plane=planes)
    desk = Desk(Stage(9), SPEC)
    desk.write(SPEC, other)
    desk.succeeds()
    for name in ("batch", "other"):
        die(desk, [n for n, i in desk.view(name).servers.items() if i.role is Role.WORKER][-1])
    for _ in range(3):
        desk.apply()
    conditions = {desk.view(name).condition.value for name in ("batch", "other")}
    assert conditions == {"settled", "degraded"}
