"""Attacks on recover_from, rpool_nodes in a cluster that repairs, and several clusters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from following import Desk, with_cluster
from test_attacked_repair import applied
from test_recover import broken, recovering
from test_repair import die, planned
from worlds.fault import Fault
from worlds.stage import FIVE, ONE, SPEC, Stage, killed

from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.pool import NodeSpec


def node(desk: Desk) -> str:
    spare = sorted(desk.stage.world.machines.keys() - desk.view().servers.keys())[-1]
    desk.mark(spare, reserved=True)
    desk.write(SPEC, **{spare: ("batch", NodeSpec())})
    desk.succeeds()
    return spare


def test_an_import_after_a_recovery_is_empty() -> None:
    desk, (survivor, *lost) = broken()
    desk.mark(*lost, lost=True)
    desk.write(recovering(survivor))
    desk.succeeds()
    uid = desk.view().uid
    del desk.state.clusters["batch"]
    desk.imports(uid)
    desk.succeeds()


def test_a_cluster_can_be_made_with_recover_from_left_in_its_configuration() -> None:
    desk = Desk(Stage(12), recovering("r1u00"))
    output = desk.apply()
    assert desk.state.clusters, output


@pytest.mark.parametrize("kind", [act.StepDown, act.RecoverEtcd, act.Reset, act.Join])
@pytest.mark.parametrize("when", ["killed", "failed"])
def test_of_five_cut_off_anywhere(kind: type, when: str) -> None:
    desk, control_planes = broken(FIVE, lost=3, count=16)
    desk.mark(*control_planes[-3:], lost=True)
    desk.write(recovering(control_planes[1], FIVE))
    if when == "killed":
        with killed(desk.stage, kind):
            desk.apply()
    else:
        with desk.stage.faults(Fault(kind, CommandFailed("no"), times=1)):
            desk.apply()
    desk.is_whole()
    assert control_planes[1] in desk.view().servers


def test_another_server_named_after_a_recovery_that_was_cut_off() -> None:
    """Of five, the first has stepped down already for the second; now the first is named."""
    desk, control_planes = broken(FIVE, lost=3, count=16)
    desk.mark(*control_planes[-3:], lost=True)
    desk.write(recovering(control_planes[1], FIVE))
    with killed(desk.stage, act.StepDown):
        desk.apply()
    desk.write(recovering(control_planes[0], FIVE))
    desk.is_whole()


def test_recovery_with_plan_that_was_consistent() -> None:
    desk, (survivor, *lost) = broken()
    desk.mark(*lost, lost=True)
    desk.write(recovering(survivor))
    assert applied(desk) == ""
    desk.is_whole()


def test_recovery_and_growth() -> None:
    desk, (survivor, *lost) = broken(count=16)
    desk.mark(*lost, lost=True)
    desk.write(replace(recovering(survivor), cores=24, memory_gib=48))
    assert applied(desk) == ""
    desk.is_whole()


@pytest.mark.parametrize("to", [FIVE, ONE])
def test_recovery_and_other_control_planes(to: object) -> None:
    desk, (survivor, *lost) = broken(count=16)
    desk.mark(*lost, lost=True)
    desk.write(recovering(survivor, to))  # type: ignore[arg-type]
    assert applied(desk) == ""
    desk.is_whole()


def test_recovery_without_spares() -> None:
    desk, (survivor, *lost) = broken(count=5)
    desk.mark(*lost, lost=True)
    desk.write(
        recovering(survivor, replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1)))
    )
    assert applied(desk) == ""
    desk.is_whole()


def test_recovery_with_a_dead_worker() -> None:
    desk, (survivor, *lost) = broken(count=12)
    dead = desk.workers()[-1]
    die(desk, dead)
    desk.mark(*lost, lost=True)
    desk.write(recovering(survivor))
    for _ in range(3):
        errors = applied(desk)
    assert errors == ""
    desk.is_whole()


def test_recovery_with_a_node() -> None:
    desk = with_cluster(count=14)
    spare = sorted(desk.stage.world.machines.keys() - desk.view().servers.keys())[-1]
    desk.mark(spare, reserved=True)
    desk.write(SPEC, **{spare: ("batch", NodeSpec())})
    desk.succeeds()
    survivor, *lost = sorted(desk.view().control_planes)
    desk.power(*lost, on=False)
    desk.mark(*lost, lost=True)
    desk.write(recovering(survivor), **{spare: ("batch", NodeSpec())})
    desk.succeeds()


def test_a_server_that_was_to_join_and_dies_is_no_member() -> None:
    desk = with_cluster(count=14)
    desk.write(replace(SPEC, cores=24, memory_gib=48))
    before, plan, _ = planned(desk)
    assert plan.values is not None
    (new,) = plan.values["servers"].keys() - before["servers"].keys()
    with desk.stage.faults(
        Fault(act.Prepare, lambda _: desk.stage.machine(new).lose_power(), servers=new)
    ):
        output = desk.apply()
    assert output
    desk.is_whole()
