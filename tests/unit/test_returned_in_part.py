"""Servers that come back after their cluster has let them go, and are not wiped at once."""

from __future__ import annotations

import pytest
from following import Desk, with_cluster
from test_returned import let_go
from worlds.fault import Fault
from worlds.stage import BIGGER

from rpool.errors import CommandFailed
from rpool.model.action import Action, Reset, SetPhase
from rpool.model.server import Role


@pytest.mark.parametrize("failing", [SetPhase, Reset])
@pytest.mark.parametrize("mark", ["retire", "lost", "reserved"])
def test_one_whose_wipe_has_failed_is_asked_for_until_it_is_wiped(
    mark: str, failing: type[Action]
) -> None:
    """No offer probes it, so only the record knows of it."""
    first = with_cluster()
    back = let_go(first)
    first.mark(back, **{mark: True})
    with first.stage.faults(Fault(failing, CommandFailed("no"), servers=back)):
        assert "no" in first.refused()
    desk = Desk(first.stage)
    desk.imports(first.view().uid)
    desk.succeeds()
    assert desk.stage.machine(back).claim is None
    record = desk.stage.cluster(desk.view()).record
    assert record is not None
    assert record.let_go == frozenset()


@pytest.mark.parametrize("role", [Role.WORKER, Role.CONTROL_PLANE])
def test_one_whose_wipe_has_failed_is_destroyed_with_its_cluster(role: Role) -> None:
    desk = with_cluster()
    back = let_go(desk, role)
    with desk.stage.faults(Fault(Reset, CommandFailed("no"), servers=back)):
        desk.refused()
    desk.gives_back()


def test_one_whose_wipe_has_failed_is_told_by_a_destroy_once_it_is_silent() -> None:
    desk = with_cluster()
    back = let_go(desk)
    with desk.stage.faults(Fault(Reset, CommandFailed("no"), servers=back)):
        desk.refused()
    desk.power(back, on=False)
    desk.write()
    assert f"{back} is unreachable, and was abandoned with its claim" in desk.apply()


def test_a_plan_that_needs_one_that_is_back_says_how_it_becomes_a_spare() -> None:
    desk = with_cluster(count=6)
    back = let_go(desk)
    before = dict(desk.wanted.clusters)
    desk.write(BIGGER)
    assert (
        f"{back}: was removed from this cluster, and came back with its old data. Apply once"
        in (desk.refused())
    )
    desk.write(*before.values())
    desk.succeeds()
    desk.write(BIGGER)
    desk.is_whole()
    assert back in desk.view().servers


def test_a_member_that_was_installed_anew_is_not_told_to_be_on_its_way_out() -> None:
    desk = with_cluster()
    server = desk.workers()[0]
    desk.stage.machine(server).reinstall()
    warnings = desk.apply()
    assert f"{server} was a member, and no longer has anything of the cluster" in warnings
    desk.write(BIGGER)
    desk.is_whole()
