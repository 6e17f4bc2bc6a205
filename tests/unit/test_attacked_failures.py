"""What a hostile or an unlucky user makes of servers at which something fails."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from fault.half import half_done
from following import Desk, with_cluster
from test_repair import die, one_of
from worlds.fault import Fault
from worlds.stage import SPEC

from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.server import Role

BIGGER = replace(SPEC, cores=24, memory_gib=48)
FAR_BIGGER = replace(SPEC, cores=32, memory_gib=64)
FAILS = CommandFailed("kubeadm join failed (exit 1)", "x509: no such thing")


def errors(desk: Desk) -> list[str]:
    return desk.state.apply(desk.wanted, threading.Event()).errors


def spares(desk: Desk) -> set[str]:
    return desk.stage.world.machines.keys() - desk.stage.claimed()


def the_first(desk: Desk, *kinds: type, why: Exception = FAILS, servers: int = 1) -> Fault:
    """A fault of the first servers that are struck, and of these from there on."""
    struck: set[str] = set()

    def strike(call: Any) -> None:
        if len(struck) < servers:
            struck.add(call.server)
        if call.server in struck:
            raise why

    return Fault(kinds, strike)


@pytest.mark.parametrize("kind", [act.Prepare, act.Join])
def test_a_mirror_that_is_down_for_days_costs_the_site_no_more_than_is_wanted(kind: type) -> None:
    desk = with_cluster(count=14)
    had = desk.stage.claimed()
    desk.write(BIGGER)
    with desk.stage.faults(Fault(kind, FAILS)):
        for _ in range(5):
            assert errors(desk)
            assert len(desk.stage.claimed() - had) == 1
    desk.is_whole()


def test_a_control_plane_that_fails_half_joined_is_in_the_way_of_no_other() -> None:
    """What it has left in etcd would keep all from joining."""
    desk = with_cluster()
    dead = one_of(desk, Role.CONTROL_PLANE)
    die(desk, dead)

    def half(join: Any) -> None:
        half_done(join, desk.stage.world)
        raise FAILS

    with desk.stage.faults(Fault(act.Join, half)) as (struck,):
        assert errors(desk)
    bad = struck[0].server
    assert bad in desk.stage.cluster(desk.view()).members
    with desk.stage.faults(Fault(act.Join, FAILS, servers=bad, sure=False)):
        desk.is_whole()
    assert bad not in desk.view().servers
