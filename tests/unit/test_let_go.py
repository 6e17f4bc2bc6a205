"""What the record says of servers that were let go, and what it must not lead to."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from following import Desk, follows, read, with_cluster
from test_returned import let_go, release
from worlds.stage import SPEC

from rpool.advice import Do
from rpool.model.action import Reset
from rpool.model.pool import NodeSpec
from rpool.model.record import Record
from rpool.model.server import Fleet

BIGGER = replace(SPEC, cores=24, memory_gib=48)


def record_of(desk: Desk) -> Record:
    record = desk.stage.cluster(desk.view()).record
    assert record is not None
    return record


def without_entry(desk: Desk) -> tuple[str, Fleet]:
    """A server that was let go, is off and has no entry in the fleet any more; and the fleet that
    had it. The cluster has been changed since.
    """
    gone = let_go(desk)
    desk.power(gone, on=False)
    before = desk.remove_entries(gone)
    desk.write(BIGGER)
    desk.succeeds()
    return gone, before


def test_one_whose_entry_is_put_back_is_wiped() -> None:
    desk = with_cluster()
    gone, before = without_entry(desk)
    assert record_of(desk).let_go == {gone}
    desk.stage.open(before)
    desk.mark(gone, reserved=True)
    desk.power(gone, on=True)
    desk.succeeds()
    assert desk.stage.machine(gone).claim is None
    assert record_of(desk).let_go == frozenset()


@follows(Do.RELEASE)
def test_a_destroy_names_one_that_the_fleet_lacks() -> None:
    desk = with_cluster()
    gone, before = without_entry(desk)
    uid = desk.view().uid
    desk.write()
    warnings = desk.apply()
    assert f"{gone} was abandoned earlier with its claim, and is no longer in the fleet" in warnings
    read(Do.RELEASE, warnings, server=gone, uid=uid)
    desk.stage.open(before)
    desk.power(gone, on=True)
    release(desk, gone, uid)
    assert desk.stage.claimed() == set()


def test_one_that_was_installed_anew_is_forgotten_by_the_next_change() -> None:
    desk = with_cluster()
    back = let_go(desk)
    desk.stage.machine(back).reinstall()
    desk.mark(back, retire=True)
    assert record_of(desk).let_go == {back}
    desk.write(BIGGER)
    desk.succeeds()
    assert record_of(desk).let_go == frozenset()


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_an_older_record_wipes_no_rpool_nodes_server(registered: bool, told: bool) -> None:
    """etcd may have been restored from a backup after the plan: by that record the server was let
    go, and by its claim it has joined since. Or a forged record says both at once.
    """
    desk = with_cluster()
    server = let_go(desk)
    older = record_of(desk)
    assert older.let_go == {server}
    desk.succeeds()  # it is wiped
    desk.mark(server, reserved=True)
    node = {server: ("batch", NodeSpec())}
    desk.write(SPEC, **node)
    desk.succeeds()
    desk.write(BIGGER, **node)
    desk.stage.acted.clear()

    def restored() -> None:
        cluster, record = desk.stage.cluster(desk.view()), record_of(desk)
        cluster.record = replace(record, let_go=older.let_go) if told else older
        if not registered:
            cluster.delete_node(server)

    desk.state.apply(desk.wanted, threading.Event(), restored)
    wiped = {action.server for action in desk.stage.acted if isinstance(action, Reset)}
    assert server not in wiped
    assert desk.stage.machine(server).claim is not None
    assert server in record_of(desk).pinned
