"""Advice about clusters and operations on them, followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from following import Desk, follows, read, with_cluster
from worlds.fault import AFTER, Break, EtcdMembers, Fault, Lock
from worlds.stage import BIGGER, FIVE, FOREIGN, ONE, SMALLER, SPEC, Stage, killed

from rpool.advice import Do
from rpool.errors import CommandFailed, RpoolError, StalePlan, Unreachable
from rpool.flow.locate import find
from rpool.model import action as act
from rpool.model.pool import PoolSpec, Selector
from rpool.model.server import Role

# -- trying again is enough -----------------------------------------------------------------------


def lock_lost(desk: Desk) -> Fault:
    return Fault(act.Prepare, Break.LOCKS_LOST, AFTER)


def lock_not_given(desk: Desk) -> Fault:
    two = desk.view().control_planes[:2]
    return Fault(Lock, Unreachable("no answer about a lock"), servers=two)


def etcd_not_told(desk: Desk) -> Fault:
    desk.write(ONE)
    return Fault(EtcdMembers, CommandFailed("it took too long"))


@pytest.mark.parametrize("trouble", [lock_lost, lock_not_given, etcd_not_told])
@follows(Do.AGAIN)
def test_what_may_go_well_the_second_time(trouble: Callable[[Desk], Fault]) -> None:
    desk = with_cluster()
    desk.write(BIGGER)
    with desk.stage.faults(trouble(desk)):
        read(Do.AGAIN, desk.refused())
    desk.is_whole()


@follows(Do.APPLY_AGAIN)
def test_a_create_that_fails_once_it_serves() -> None:
    desk = Desk(Stage(9))
    with desk.stage.faults(Fault(act.ApplyMetalLB, CommandFailed("no route"))):
        read(Do.APPLY_AGAIN, desk.apply())
    desk.is_whole()


def taken_meanwhile(desk: Desk) -> Fault:
    def take(action: act.TakeClaim) -> None:
        desk.stage.machine(action.server).claim = FOREIGN

    desk.write(BIGGER)
    return Fault(act.TakeClaim, take, times=1)


def overtaken(desk: Desk) -> Fault:
    def act_later(action: act.Prepare) -> None:
        desk.stage.machine(action.server).sessions[desk.view().uid] = 99

    desk.write(BIGGER)
    return Fault(act.Prepare, act_later, times=1)


@pytest.mark.parametrize("trouble", [taken_meanwhile, overtaken])
@follows(Do.PLAN_AGAIN)
def test_a_plan_that_the_site_has_overtaken(trouble: Callable[[Desk], Fault]) -> None:
    desk = with_cluster()
    with desk.stage.faults(trouble(desk)):
        read(Do.PLAN_AGAIN, desk.refused())
    desk.succeeds()


@follows(Do.PLAN_AGAIN)
def test_a_plan_without_a_refresh_that_wants_what_is_half_out() -> None:
    desk = with_cluster()
    before = desk.view()
    desk.write(SMALLER)
    with killed(desk.stage, act.SetPhase):
        desk.apply()
    roles = {name: member.role for name, member in before.servers.items()}
    with pytest.raises(StalePlan) as caught:
        desk.stage.site.change_pool(before, SPEC, roles, desk.stage.attempt())
    read(Do.PLAN_AGAIN, caught.value)
    desk.write(SPEC)
    desk.is_whole()


@follows(Do.PLAN_AGAIN)
def test_a_plan_before_which_somebody_else_has_changed_the_cluster() -> None:
    desk = with_cluster()
    before = desk.view()
    roles = desk.stage.plan(before, SMALLER, SPEC).roles
    desk.stage.become(before, BIGGER)
    with pytest.raises(StalePlan) as caught:
        desk.stage.site.change_pool(before, SMALLER, roles, desk.stage.attempt())
    read(Do.PLAN_AGAIN, caught.value)
    desk.write(SMALLER)
    desk.is_whole()


@follows(Do.WAIT)
def test_another_operation_that_has_the_lock() -> None:
    desk = with_cluster()
    desk.write(BIGGER)
    with desk.stage.world.lock(desk.view().control_planes[0], desk.view().uid):
        read(Do.WAIT, desk.refused())
    desk.is_whole()


@follows(Do.WAIT)
def test_another_operation_that_has_written_its_record() -> None:
    desk = with_cluster()
    cluster = desk.stage.cluster(desk.view())

    def overtake(_: act.WriteRecord) -> None:
        assert cluster.record is not None
        cluster.record = replace(cluster.record, change="another's")

    desk.write(BIGGER)
    with desk.stage.faults(Fault(act.WriteRecord, overtake, times=1)):
        read(Do.WAIT, desk.refused())
    desk.is_whole()


@follows(Do.RAISE_TIMEOUT)
def test_an_operation_that_takes_too_long() -> None:
    desk = with_cluster()
    stage, view = desk.stage, desk.view()
    roles = stage.plan(view, BIGGER, SPEC).roles
    with pytest.raises(RpoolError) as caught:
        stage.site.change_pool(view, BIGGER, roles, replace(stage.attempt(), timeout_seconds=0))
    read(Do.RAISE_TIMEOUT, caught.value)
    stage.site.change_pool(view, BIGGER, roles, stage.attempt())
    desk.write(BIGGER)
    desk.is_whole()


# -- a cluster's API does not answer --------------------------------------------------------------


@pytest.mark.parametrize("way", ["brought back", "recovered", "destroyed"])
@follows(Do.BRING_API_BACK)
def test_a_cluster_whose_control_planes_do_not_answer(way: str) -> None:
    desk = with_cluster()
    control_planes = desk.view().control_planes
    desk.power(*control_planes, on=False)
    desk.write(BIGGER)
    read(Do.BRING_API_BACK, desk.refused(), needed="2", count="3")
    if way == "destroyed":
        desk.mark(*control_planes, lost=True)
        return desk.gives_back(*control_planes)
    if way == "recovered":
        desk.mark(*control_planes[1:], lost=True)
        desk.power(control_planes[0], on=True)
        control_plane = replace(BIGGER.control_plane, recover_from=control_planes[0])
        desk.write(replace(BIGGER, control_plane=control_plane))
        return desk.succeeds()
    desk.power(*control_planes[:2], on=True)
    return desk.succeeds()


def not_imported(desk: Desk, uid: str) -> RpoolError:
    desk.stage.open()
    with pytest.raises(RpoolError) as caught:
        find(desk.stage.world, desk.stage.site.config.fleet, uid)
    return caught.value


@pytest.mark.parametrize("way", ["brought back", "entries put back", "applied", "marked lost"])
@follows(Do.FIND_API)
def test_a_cluster_whose_api_is_not_found_by_an_import(way: str) -> None:
    desk = with_cluster()
    view, fleet = desk.view(), desk.stage.site.config.fleet
    control_planes = view.control_planes
    if way == "entries put back":
        desk.remove_entries(*control_planes)
    elif way == "applied":
        desk.stage.cluster(view).record = None
    else:
        desk.power(*control_planes, on=False)
    read(Do.FIND_API, not_imported(desk, view.uid), uid=view.uid)
    if way == "brought back":
        desk.power(*control_planes, on=True)
    elif way == "entries put back":
        desk.stage.open(fleet)
    elif way == "applied":
        desk.succeeds()
    else:
        desk.mark(*control_planes, lost=True)
    desk.state.clusters.clear()
    desk.imports(view.uid)
    if way == "marked lost":
        desk.gives_back(*control_planes)
    else:
        desk.is_whole()


# -- which servers are in a cluster ---------------------------------------------------------------


@pytest.mark.parametrize("way", ["wider", "more servers", "less"])
@follows(Do.MAKE_ROOM)
@follows(Do.WIDEN)
def test_a_cluster_that_does_not_fit(way: str) -> None:
    narrow = replace(SPEC, selector=Selector(frozenset({"rack1", "rack2"})))
    desk = Desk(Stage(9), narrow)
    fleet = desk.remove_entries("r1u06", "r2u07")
    errors = desk.refused()
    read(Do.MAKE_ROOM, errors)
    read(Do.WIDEN, errors)
    assert "Free for its selector: " in errors
    if way == "wider":
        desk.write(SPEC)
    elif way == "more servers":
        desk.stage.open(fleet)
    else:
        desk.write(replace(narrow, cores=8, memory_gib=16))
    desk.is_whole()


@follows(Do.STOP_STRANGER)
def test_a_member_of_etcd_that_is_nobody_s() -> None:
    desk = with_cluster()
    cluster, machines = desk.stage.cluster(desk.view()), desk.stage.world.machines
    free = next(machine for name, machine in machines.items() if name not in desk.view().servers)
    cluster.members["stranger"] = "cafe"
    machines["stranger"] = replace(free, cluster=cluster, role=Role.CONTROL_PLANE)
    desk.write(BIGGER)
    read(Do.STOP_STRANGER, desk.refused())
    machines["stranger"].powered = False
    desk.is_whole()


@pytest.mark.parametrize(
    ("way", "wanted"), [("brought back", SPEC), ("brought back", BIGGER), ("deleted", SPEC)]
)
@follows(Do.DELETE_NODE)
def test_a_lost_record_and_a_node_that_is_nobody_s(way: str, wanted: PoolSpec) -> None:
    desk = with_cluster()
    before = desk.state.copy()
    desk.write(BIGGER)
    desk.succeeds()
    (new,) = desk.view().servers.keys() - before.clusters["batch"].values["servers"]
    cluster = desk.stage.cluster(desk.view())
    cluster.record, desk.state = None, before  # an older state: it does not know of the last one
    desk.power(new, on=False)
    desk.write(wanted)
    read(Do.DELETE_NODE, desk.refused(), servers=new)
    if way == "brought back":
        desk.power(new, on=True)
    else:
        cluster.delete_node(new)
    if wanted is BIGGER:  # and it was planned to join, which is a stale plan
        read(Do.PLAN_AGAIN, desk.refused())
    desk.succeeds()


@pytest.mark.parametrize("way", ["mended", "retired"])
@pytest.mark.parametrize("role", list(Role))
@follows(Do.MAKE_READY)
def test_a_server_that_joins_and_does_not_get_ready(role: Role, way: str) -> None:
    desk = with_cluster()
    wanted = BIGGER if role is Role.WORKER else FIVE
    target = desk.stage.plan(desk.view(), wanted, SPEC)
    name = next(n for n in target.joining if target.roles[n] is role)
    machine = desk.stage.machine(name)
    machine.sick = "disk"
    desk.write(wanted)
    errors = desk.refused()
    assert f"{name} does not become Ready" in errors
    read(Do.MAKE_READY, errors, server=name)
    if way == "mended":
        machine.sick = ""
    else:
        desk.mark(name, retire=True)
    desk.is_whole()
    assert (name in desk.view().servers) == (way == "mended")
