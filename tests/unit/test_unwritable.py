"""Servers whose disks take nothing more: they can keep neither a claim nor what failed there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from fault.half import half_done
from following import Desk, follows, read, with_cluster
from test_returned import let_go
from worlds.fault import AFTER, Fault
from worlds.stage import SPEC, Stage

from rpool.advice import Do
from rpool.attempt import PoolIncomplete
from rpool.decide.preflight import why_not_usable
from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.server import Role

BIGGER = replace(SPEC, cores=24, memory_gib=48)
HOW = "read-only"

Way = Callable[[Desk, str], None]


def turns(stage: Stage) -> Fault:
    """The first worker that is claimed has a disk that fails right afterwards."""

    def fail(take: act.TakeClaim) -> None:
        stage.machine(take.server).unwritable = "read-only"

    worker = Role.WORKER
    return Fault(act.TakeClaim, fail, AFTER, where=lambda take: take.claim.role is worker, times=1)


def half_in(desk: Desk) -> str:
    """A server that was to join, and cannot; the apply that claimed it has said so."""
    desk.write(BIGGER)
    with desk.stage.faults(turns(desk.stage)) as (struck,):
        assert HOW in desk.refused()
    return str(struck[0].server)


def mend(desk: Desk, bad: str) -> None:
    desk.stage.machine(bad).unwritable = ""


def install(desk: Desk, bad: str) -> None:
    desk.stage.machine(bad).reinstall()


def give_up(desk: Desk, bad: str) -> None:
    desk.power(bad, on=False)
    desk.mark(bad, lost=True)


@pytest.mark.parametrize("way", [mend, install, give_up])
@follows(Do.MEND_DISK)
def test_another_takes_its_place_and_the_error_says_what_becomes_of_it(way: Way) -> None:
    desk = with_cluster(count=9)
    bad = half_in(desk)
    assert desk.stage.machine(bad).failures == []
    run = desk.state.apply(desk.wanted, threading.Event())
    warnings = "\n".join(run.warnings)
    assert f"{bad} has not joined: its disk is {HOW}; another server takes its place" in warnings
    members = [n for n, m in desk.stage.world.machines.items() if m.claim and m.claim.is_member]
    assert len(members) == len(desk.view().servers) - 1
    assert bad in desk.view().servers
    (error,) = run.errors
    assert f"{bad} has not joined, and cannot be given back: its disk is {HOW}" in error
    read(Do.MEND_DISK, error)
    second = desk.state.apply(desk.wanted, threading.Event())
    assert [text.splitlines()[0] for text in second.errors] == [error.splitlines()[0]]
    way(desk, bad)
    desk.is_whole()
    assert bad not in desk.view().servers


def test_where_there_is_no_other_the_error_says_why_it_cannot_join() -> None:
    desk = with_cluster(count=6)
    bad = half_in(desk)
    desk.stage.acted.clear()
    error = desk.refused()
    assert f"{bad} is to join, but its disk is {HOW}" in error
    assert [action for action in desk.stage.acted if action.server == bad] == []
    mend(desk, bad)
    desk.is_whole()
    assert bad in desk.view().servers


def test_a_control_plane_that_is_half_in_is_in_the_way_of_no_other() -> None:
    """What it has left in etcd goes all the same."""
    desk = with_cluster(count=9)
    gone = desk.view().control_planes[-1]
    desk.power(gone, on=False)
    desk.mark(gone, lost=True)

    def half(join: act.Join) -> None:
        half_done(join, desk.stage.world)
        desk.stage.machine(join.server).unwritable = "read-only"
        raise CommandFailed("kubeadm join failed")

    with desk.stage.faults(Fault(act.Join, half, times=1)) as (struck,):
        assert desk.refused()
    bad = struck[0].server
    assert bad in desk.stage.cluster(desk.view()).members
    assert "cannot be given back" in desk.refused()
    assert bad not in desk.stage.cluster(desk.view()).members
    install(desk, bad)
    desk.is_whole()


def test_none_is_claimed_where_that_is_known() -> None:
    stage = Stage(9)
    clean = Stage(9).site.advise(SPEC).likely
    bad = next(name for name, role in clean.items() if role is Role.WORKER)
    stage.machine(bad).unwritable = "full"
    why = why_not_usable(stage.machine(bad).server, stage.world.probe(bad))
    assert why == "unusable: its disk is full"
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert bad not in view.servers
    assert not any(action.server == bad for action in stage.acted)


def test_a_create_goes_on_without_it() -> None:
    """It is no error of the create, which would taint it: see decision 15."""
    stage = Stage(9)
    with stage.faults(turns(stage)) as (struck,), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    bad = struck[0].server
    assert caught.value.usable
    assert f"{bad} has not joined, and cannot be given back" in caught.value.summary
    workers = {n for n, m in stage.world.machines.items() if m.role is Role.WORKER}
    assert len(workers) == 2
    assert bad not in workers


def fills(desk: Desk, bad: str) -> None:
    desk.stage.machine(bad).unwritable = "full"


def says_how(desk: Desk, bad: str) -> None:
    """The error says it; nothing was tried on that server, and all else was done."""
    desk.stage.acted.clear()
    error = desk.refused()
    assert f"{bad} is to leave, and cannot be given back: its disk is full" in error
    read(Do.MEND_DISK, error)
    tried = [action for action in desk.stage.acted if isinstance(action, act.SetPhase | act.Reset)]
    assert bad not in {action.server for action in tried}


@pytest.mark.parametrize("way", [mend, install, give_up])
@follows(Do.MEND_DISK)
def test_one_that_is_back_and_cannot_be_wiped_says_so(way: Way) -> None:
    desk = with_cluster()
    back = let_go(desk)
    fills(desk, back)
    desk.write(BIGGER)
    warnings = desk.state.apply(desk.wanted, threading.Event()).warnings
    assert "with its old data: its disk is full, so it cannot be wiped" in "\n".join(warnings)
    says_how(desk, back)
    assert len(desk.workers()) == 3
    way(desk, back)
    desk.is_whole()


@pytest.mark.parametrize("role", [Role.WORKER, Role.CONTROL_PLANE])
@pytest.mark.parametrize("way", [mend, give_up])
@follows(Do.MEND_DISK, 0, 2)
def test_a_member_that_is_to_leave_and_cannot_be_wiped_says_so(role: Role, way: Way) -> None:
    desk = with_cluster(BIGGER)
    bad, other = [n for n, member in desk.view().servers.items() if member.role is role][:2]
    fills(desk, bad)
    desk.mark(bad, other, retire=True)
    says_how(desk, bad)
    assert desk.stage.machine(other).claim is None
    way(desk, bad)
    desk.is_whole()
    assert bad not in desk.view().servers


def test_a_destroy_says_what_keeps_a_server() -> None:
    desk = with_cluster()
    bad, other = desk.workers()
    fills(desk, bad)
    desk.write()
    with desk.stage.faults(Fault(act.Reset, CommandFailed("no"), servers=other, times=1)):
        error = desk.refused()
    assert f"{bad} is to leave, and cannot be given back: its disk is full" in error
    read(Do.MEND_DISK, error)
    assert "Also: no" in error
    assert desk.stage.claimed() == {bad, other}
    mend(desk, bad)
    desk.gives_back()
