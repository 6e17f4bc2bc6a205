"""A plan repairs members that are not well for too long, and its apply looks again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
from fault.terraform import Run, cluster_config
from following import Desk, follows, read, with_cluster
from worlds.expect import settled
from worlds.fault import Answer, Fault, Probe
from worlds.stage import FIVE, SMALLER, SPEC, Stage

from rpool.advice import Do
from rpool.errors import CommandFailed, OutcomeUnknown, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.action import DeleteNode, Join, Mend, RemoveEtcdMember, Reset
from rpool.model.pool import PoolSpec, Repair, RepairMode
from rpool.model.seen import Probed
from rpool.model.server import Role
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.resource import Plan, Values

LONG = 400.0
"""Seconds: longer than the grace."""

WARN = replace(SPEC, repair=Repair(mode=RepairMode.WARN))
TWO = replace(SPEC, repair=Repair(max_lost=2))


def of(desk: Desk, role: Role) -> list[str]:
    return [n for n, member in sorted(desk.view().servers.items()) if member.role is role]


def one_of(desk: Desk, role: Role) -> str:
    """The last member in that role: not the control plane that is asked first."""
    return of(desk, role)[-1]


def die(desk: Desk, *servers: str, seconds_ago: float = LONG) -> None:
    for server in servers:
        desk.stage.machine(server).lose_power(seconds_ago)


def state(desk: Desk) -> Values:
    return desk.state.clusters["batch"].values


def planned(desk: Desk) -> tuple[Values, Plan, str]:
    """What `terraform plan` shows: the values before and after, and its warnings."""
    desk.stage.open()
    site = desk.stage.site
    refreshed = Cluster().read(desk.state.clusters["batch"].held, site)
    config = cluster_config(desk.wanted.clusters["batch"])
    plan = Cluster().plan(refreshed.held, config, site)
    assert refreshed.held.values is not None
    diagnostics = [*refreshed.diagnostics, *plan.diagnostics]
    return refreshed.held.values, plan, "\n".join(f"{d.summary}\n{d.detail}" for d in diagnostics)


def run(desk: Desk) -> Run:
    return desk.state.apply(desk.wanted, threading.Event())


def is_empty(desk: Desk) -> bool:
    before, plan, _ = planned(desk)
    return bool(plan.values == before)


# -- lost: silent, and not Ready for longer than the grace -----------------------------------------


@pytest.mark.parametrize("way", ["applied", "brought back"])
@follows(Do.REPAIR)
def test_what_a_plan_repairs_it_says(way: str) -> None:
    desk = with_cluster()
    dead = one_of(desk, Role.WORKER)
    die(desk, dead)
    read(Do.REPAIR, planned(desk)[2], servers=dead)
    if way == "brought back":
        desk.power(dead, on=True)
        assert is_empty(desk)
    desk.is_whole()
    assert (dead in desk.view().servers) is (way == "brought back")


@pytest.mark.parametrize("role", [Role.WORKER, Role.CONTROL_PLANE])
def test_who_is_dead_is_replaced_by_the_next_plan(role: Role) -> None:
    desk = with_cluster()
    dead = one_of(desk, role)
    original = state(desk)
    die(desk, dead)
    before, plan, warnings = planned(desk)
    assert before["condition"] == "degraded"
    assert plan.values is not None
    assert plan.values["condition"] == "settled"
    assert before["servers"].keys() == original["servers"].keys()
    share = original["servers"][dead]["cores"] if role is Role.WORKER else 0
    assert before["allocated_cores"] == original["allocated_cores"] - share
    assert plan.values is not None
    (new,) = plan.values["servers"].keys() - original["servers"].keys()
    assert original["servers"].keys() - plan.values["servers"].keys() == {dead}
    assert plan.values["allocated_cores"] >= original["cores"]
    assert "It counts as lost: another server takes its place, if there is one." in warnings
    assert f"Leaving: {dead} (" in warnings
    assert "lost)." in warnings
    assert run(desk).errors == []
    assert set(state(desk)["servers"]) == {*original["servers"], new} - {dead}
    assert is_empty(desk)
    settled(desk.stage, desk.view(), SPEC)
    etcd = desk.stage.cluster(desk.view()).members
    assert dead not in etcd


def test_within_its_grace_nobody_is_touched() -> None:
    desk = with_cluster()
    die(desk, one_of(desk, Role.WORKER), seconds_ago=200)
    _, _, warnings = planned(desk)
    assert "Nothing is done about it yet: repair.grace is 5m." in warnings
    assert is_empty(desk)


@pytest.mark.parametrize(("seconds", "counts"), [(0, True), (60, True), (-60, False)])
@pytest.mark.parametrize("whose", ["another control plane", "the member"])
def test_the_grace_is_not_shorter_where_clocks_differ(
    seconds: float, counts: bool, whose: str
) -> None:
    """The time since which a Node is not Ready comes from the clock of the controller manager that
    leads, or of its own kubelet. It is compared with the clock of the control plane that is asked.
    """
    desk = with_cluster()
    sick = one_of(desk, Role.WORKER)
    desk.stage.machine(sick).fall_sick("kubelet", 320)
    other = one_of(desk, Role.CONTROL_PLANE) if whose == "another control plane" else sick

    def off(probed: Probed) -> Probed:
        return replace(probed, clock_seconds=probed.clock_seconds + seconds)

    with desk.stage.faults(Fault(Probe, Answer(off), servers=other, times=None)):
        assert is_empty(desk) is not counts


def test_a_shorter_grace_counts_once_it_is_applied() -> None:
    desk = with_cluster()
    dead = one_of(desk, Role.WORKER)
    desk.write(replace(SPEC, repair=Repair(grace_seconds=30)))
    desk.succeeds()
    die(desk, dead, seconds_ago=40)
    assert not is_empty(desk)
    desk.is_whole()
    assert dead not in desk.view().servers


def test_who_is_silent_with_a_ready_node_is_not_lost() -> None:
    """Its sshd is dead, and its kubelet is not."""
    desk = with_cluster()
    silent = desk.stage.machine(one_of(desk, Role.WORKER))
    cluster = desk.stage.cluster(desk.view())
    silent.powered = False
    with pytest.MonkeyPatch.context() as patch:
        runs = desk.stage.world._runs
        patch.setattr(
            desk.stage.world,
            "_runs",
            lambda c, n: (c is cluster and n == silent.server.name) or runs(c, n),
        )
        assert is_empty(desk)


def test_a_control_plane_whose_etcd_answers_is_not_lost() -> None:
    desk = with_cluster()
    silent = one_of(desk, Role.CONTROL_PLANE)
    machine, world = desk.stage.machine(silent), desk.stage.world
    die(desk, silent)
    cluster = desk.stage.cluster(desk.view())
    with pytest.MonkeyPatch.context() as patch:
        running = world._running
        patch.setattr(
            world, "_running", lambda c: running(c) | ({silent} if c is cluster else set())
        )
        _, _, warnings = planned(desk)
        assert "Nothing is done about it: its etcd still answers the others." in warnings
        desk.stage.acted.clear()
        assert "its etcd still answers" in desk.refused()
        assert desk.stage.acted == []
    assert machine.claim is not None


def test_the_apply_does_nothing_to_a_server_that_came_back() -> None:
    desk = with_cluster()
    back = one_of(desk, Role.WORKER)
    die(desk, back)
    before, plan, _ = planned(desk)
    desk.power(back, on=True)
    desk.stage.open()
    desk.stage.acted.clear()
    error = carry_out(desk, before, plan)
    assert f"{back} counted as lost when this was planned, but no longer does" in error
    assert f"{back} is healthy again." in error
    assert desk.stage.acted == []
    desk.is_whole()
    assert back in desk.view().servers


def test_one_that_answers_again_and_is_not_ready_is_mended_by_the_next_plan() -> None:
    desk = with_cluster()
    back = one_of(desk, Role.WORKER)
    die(desk, back)
    before, plan, _ = planned(desk)
    desk.power(back, on=True)
    desk.stage.machine(back).fall_sick("kubelet", LONG)
    desk.stage.open()
    desk.stage.acted.clear()
    assert "answers by SSH" in carry_out(desk, before, plan)
    assert desk.stage.acted == []
    desk.succeeds()
    assert [type(action) for action in desk.stage.acted if action.server == back] == [Mend]


def carry_out(desk: Desk, before: Values, plan: Plan) -> str:
    """Applies a saved plan; returns what its error says."""
    from rpool_provider.resources.resource import Held

    held = desk.state.clusters["batch"].held
    site = desk.stage.site
    try:
        reply = Cluster().update(
            Held(before, plan.private), Held(plan.values, plan.private), site, threading.Event()
        )
    except RpoolError as error:
        return f"{error}\n{error.detail}"
    assert reply.held.values is not None
    desk.state.clusters["batch"].held = reply.held
    assert held is not None
    return "\n".join(f"{d.summary}\n{d.detail}" for d in reply.diagnostics)


@pytest.mark.parametrize("at", [Join, DeleteNode])
def test_a_replacement_that_was_cut_off_is_finished(at: type) -> None:
    from worlds.stage import killed

    desk = with_cluster()
    dead = one_of(desk, Role.WORKER)
    die(desk, dead)
    with killed(desk.stage, at):
        run(desk)
    desk.is_whole()
    assert dead not in desk.view().servers


def test_one_that_comes_back_after_it_was_replaced_is_wiped_and_is_a_spare() -> None:
    desk = with_cluster()
    dead = one_of(desk, Role.CONTROL_PLANE)
    die(desk, dead)
    desk.is_whole()
    desk.power(dead, on=True)
    desk.is_whole()
    assert desk.stage.machine(dead).claim is None


def test_who_dies_half_out_is_let_go_once_its_grace_is_over() -> None:
    desk = with_cluster()
    desk.write(SMALLER)
    site = desk.stage
    target = site.plan(desk.view(), SMALLER, SPEC)
    (leaving,) = target.leaving
    with desk.stage.faults(Fault(act.SetPhase, CommandFailed("no"), servers=leaving)):
        desk.refused()
    die(desk, leaving, seconds_ago=100)
    assert f"{leaving} is to leave, but cannot be reached" in desk.refused()
    desk.stage.machine(leaving).down_since -= LONG
    desk.is_whole()
    assert leaving not in desk.view().servers


# -- not well, and it answers ----------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.WORKER, Role.CONTROL_PLANE])
@pytest.mark.parametrize("what", ["kubelet", "disk"])
def test_who_answers_is_mended_where_it_is(role: Role, what: Literal["kubelet", "disk"]) -> None:
    desk = with_cluster()
    sick = one_of(desk, role)
    original = state(desk)
    desk.stage.machine(sick).fall_sick(what, LONG)
    before, plan, warnings = planned(desk)
    assert plan.values is not None
    assert before["condition"] == "degraded"
    assert plan.values["servers"] == original["servers"]
    assert before["allocated_cores"] == original["allocated_cores"]
    assert "This plan repairs it: its container runtime and kubelet are restarted" in warnings
    desk.stage.acted.clear()
    assert run(desk).errors == []
    done = [type(action) for action in desk.stage.acted if action.server == sick]
    assert (Reset in done) is (what == "disk")
    assert (Join in done) is (what == "disk")
    assert is_empty(desk)
    assert state(desk)["servers"] == original["servers"]
    settled(desk.stage, desk.view(), SPEC)


@pytest.mark.parametrize("lost", [OutcomeUnknown("contact was lost"), Unreachable("no contact")])
def test_who_is_taken_apart_is_drained_though_the_first_way_to_the_api_is_lost(
    lost: RpoolError,
) -> None:
    """Lost contact says nothing of the Node, whose pods may run. A drain that fails on the Node is
    another case: it is tried, and hinders nothing.
    """
    desk = with_cluster()
    sick = one_of(desk, Role.WORKER)
    desk.stage.machine(sick).fall_sick("disk", LONG)
    desk.stage.acted.clear()
    with desk.stage.faults(Fault(act.Drain, lost, times=1)):
        assert run(desk).errors == []
    done = [
        type(action)
        for action in desk.stage.acted
        if action.server == sick or type(action) is act.Drain
    ]
    assert done.index(act.Drain) < done.index(Reset)
    desk.is_whole()


def test_the_only_control_plane_is_restarted_and_never_taken_apart() -> None:
    one = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
    desk = with_cluster(one)
    (only,) = of(desk, Role.CONTROL_PLANE)
    desk.stage.machine(only).fall_sick("disk", LONG)
    desk.stage.acted.clear()
    assert "its Node is not Ready" in desk.refused()
    assert not any(isinstance(action, Reset | RemoveEtcdMember) for action in desk.stage.acted)
    desk.stage.machine(only).fall_sick("kubelet", LONG)
    desk.is_whole()


def test_the_control_plane_that_is_asked_first_is_mended_through_another() -> None:
    desk = with_cluster()
    first = of(desk, Role.CONTROL_PLANE)[0]
    desk.stage.machine(first).fall_sick("disk", LONG)
    desk.is_whole()
    assert first in desk.view().servers


# -- brakes ----------------------------------------------------------------------------------------


def brought_back(desk: Desk, *dead: str) -> None:
    desk.power(*dead, on=True)


def marked(desk: Desk, *dead: str) -> None:
    desk.mark(*dead, lost=True)


def raised(desk: Desk, *dead: str) -> None:
    desk.write(TWO)
    assert "is degraded" in desk.refused()  # which has the new brake, by now


@pytest.mark.parametrize("way", [brought_back, marked, raised])
@follows(Do.LIFT_BRAKE)
def test_too_many_at_once_are_not_repaired(way: Callable[..., None]) -> None:
    desk = with_cluster()
    dead = of(desk, Role.WORKER)[-2:]
    die(desk, *dead)
    _, _, warnings = planned(desk)
    held = "2 members are unhealthy at once, and repair.max_lost is 1"
    assert f"Nothing is done about it: {held}." in warnings
    read(Do.LIFT_BRAKE, warnings, servers=", ".join(sorted(dead)))
    desk.stage.acted.clear()
    error = desk.refused()
    assert f"Its repair is held: {held}." in error
    read(Do.LIFT_BRAKE, error, servers=", ".join(sorted(dead)))
    assert desk.stage.acted == []
    assert not is_empty(desk)
    way(desk, *dead)
    desk.is_whole()
    assert (set(dead) <= desk.view().servers.keys()) is (way is brought_back)


def test_a_braked_apply_does_the_rest() -> None:
    desk = with_cluster(count=14)
    dead = of(desk, Role.WORKER)[-2:]
    die(desk, *dead)
    desk.write(replace(SPEC, cores=24, memory_gib=48))
    assert "max_lost" in desk.refused()
    assert state(desk)["cores"] == 24
    assert state(desk)["condition"] == "degraded"
    brought_back(desk, *dead)
    desk.is_whole()


def test_a_second_that_dies_between_plan_and_apply_holds_the_first_one_s_repair() -> None:
    desk = with_cluster()
    one, two = of(desk, Role.WORKER)[-2:]
    die(desk, one)
    before, plan, _ = planned(desk)
    die(desk, two)
    desk.stage.open()
    desk.stage.acted.clear()
    assert "max_lost" in carry_out(desk, before, plan)
    assert desk.stage.acted == []


def test_two_control_planes_of_five_are_replaced_one_at_a_time() -> None:
    desk = with_cluster(replace(FIVE, repair=Repair(max_lost=2)), count=16)
    dead = of(desk, Role.CONTROL_PLANE)[-2:]
    die(desk, *dead)
    desk.is_whole()
    assert not set(dead) & desk.view().servers.keys()


def test_without_a_spare_the_dead_one_stays_and_the_apply_says_so() -> None:
    desk = with_cluster(count=5)
    dead = one_of(desk, Role.WORKER)
    die(desk, dead)
    before, plan, warnings = planned(desk)
    assert plan.values is not None
    assert dead in plan.values["servers"]
    assert before["condition"] == "degraded"
    assert f"no server can replace {dead}" in warnings
    assert "another server takes its place, if there is one" in warnings
    assert "this plan puts" not in warnings
    assert not is_empty(desk)
    error = desk.refused()
    assert "No free server can take its place" in error
    assert "add servers to the fleet" in error
    assert "max_lost" not in error
    assert dead in state(desk)["servers"]
    brought_back(desk, dead)
    desk.is_whole()


def test_of_two_lost_one_spare_takes_one_place() -> None:
    desk = with_cluster(TWO, count=6)
    dead = of(desk, Role.WORKER)
    die(desk, *dead)
    assert "is degraded" in desk.refused()
    assert len(set(dead) & state(desk)["servers"].keys()) == 1


# -- mode = "warn" ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["dead", "sick"])
def test_with_mode_warn_a_plan_warns_and_is_empty(how: str) -> None:
    desk = with_cluster(WARN)
    name = one_of(desk, Role.WORKER)
    if how == "dead":
        die(desk, name)
    else:
        desk.stage.machine(name).fall_sick("disk", LONG)
    original = state(desk)
    before, plan, warnings = planned(desk)
    assert plan.values == before
    assert before == {**original, "condition": "degraded"}
    assert "Nothing is done about it: repair.mode is warn." in warnings


def test_with_mode_warn_a_change_goes_and_repairs_nothing() -> None:
    desk = with_cluster(WARN, count=14)
    dead = one_of(desk, Role.WORKER)
    die(desk, dead)
    desk.write(replace(WARN, cores=24, memory_gib=48))
    assert run(desk).errors == []
    assert dead in desk.view().servers
    assert is_empty(desk)


# -- the API is silent -----------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [SPEC, WARN])
def test_a_cluster_whose_api_is_silent_is_unreachable(spec: PoolSpec) -> None:
    desk = with_cluster(spec)
    control_planes = of(desk, Role.CONTROL_PLANE)
    die(desk, *control_planes[-2:])
    before, plan, _ = planned(desk)
    assert before["condition"] == "unreachable"
    assert (plan.values == before) is (spec is WARN)
    if spec is SPEC:
        assert "no control plane of cluster batch shows its API" in desk.refused()
    brought_back(desk, *control_planes)
    desk.is_whole()


# -- a cluster that was never made to its end ------------------------------------------------------


def never_made() -> Desk:
    """A desk with a cluster whose network serves, and whose create has not ended."""
    desk = Desk(Stage(12), SPEC)
    with desk.stage.faults(Fault(act.ApplyMetalLB, CommandFailed("no route"))):
        desk.state.apply(desk.wanted, threading.Event())
    assert state(desk)["condition"] == "incomplete"
    desk.stage.acted.clear()
    return desk


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("how", ["kubelet", "disk"])
def test_a_member_of_a_cluster_that_was_never_made_is_mended(
    role: Role, how: Literal["kubelet", "disk"]
) -> None:
    desk = never_made()
    desk.stage.machine(one_of(desk, role)).fall_sick(how, LONG)
    desk.is_whole()


def test_a_dead_member_of_a_cluster_that_was_never_made_is_replaced() -> None:
    desk = never_made()
    dead = one_of(desk, Role.WORKER)
    die(desk, dead)
    desk.is_whole()
    assert dead not in desk.view().servers


@pytest.mark.parametrize("role", Role)
def test_members_of_a_cluster_that_was_never_made_that_get_ready_as_they_are_awaited_are_well(
    role: Role,
) -> None:
    """Two may have one cause, which was put right: no repair is needed."""
    desk = never_made()
    slow = of(desk, role)[-2:]
    for name in slow:
        desk.stage.machine(name).fall_sick("kubelet", LONG)

    def get_ready(_: act.AwaitReady) -> None:
        for name in slow:
            desk.stage.machine(name).mend()

    with desk.stage.faults(Fault(act.AwaitReady, get_ready)):
        assert run(desk).errors == []
    assert state(desk)["condition"] == "settled"
