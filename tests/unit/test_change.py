"""Changing a cluster that serves, on modelled servers that keep the real rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.expect import kinds, settled, touched
from worlds.fault import AFTER, CHANGES, Break, Fault, Lock
from worlds.stage import BIGGER, FIVE, FOREIGN, ONE, SMALLER, SPEC, Stage, made, with_role

from rpool.api import PoolIncomplete
from rpool.errors import (
    CommandFailed,
    OutcomeUnknown,
    Refused,
    RpoolError,
    StalePlan,
    Unreachable,
)
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Phase
from rpool.model.pool import Selector
from rpool.model.server import Role
from rpool.model.view import Condition


def test_growth_touches_the_new_server_alone() -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    grown = stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert touched(stage) == target.joining == set(grown.servers) - set(view.servers)
    settled(stage, grown, BIGGER)


def test_shrinking_drains_resets_and_forgets() -> None:
    stage, view = made()
    target = stage.plan(view, SMALLER, SPEC)
    (leaving,) = target.leaving
    shrunk = stage.site.change_pool(view, SMALLER, target.roles, stage.attempt())
    of_the_way = kinds(stage.acted, act.Drain, act.SetPhase, act.Reset, act.DeleteNode)
    assert of_the_way == ["Drain", "SetPhase", "Reset", "DeleteNode"]
    assert touched(stage) == {leaving}
    assert stage.world.probe(leaving).is_spare
    settled(stage, shrunk, SMALLER)


def test_control_planes_go_from_three_to_five_and_back() -> None:
    stage, view = made(12)
    five = stage.become(view, FIVE)
    settled(stage, five, FIVE)
    stage.acted.clear()
    three = stage.become(five, SPEC, FIVE)
    removals = kinds(stage.acted, act.StepDown, act.RemoveEtcdMember, act.Reset)
    assert removals == ["StepDown", "RemoveEtcdMember", "Reset"] * 2
    settled(stage, three, SPEC)


@pytest.mark.parametrize("role", list(Role))
def test_a_retiring_server_is_replaced_first(role: Role) -> None:
    stage, view = made(12)
    old = next(name for name, server in view.servers.items() if server.role is role)
    stage.mark(old, retire=True)
    after = stage.become(view, SPEC)
    assert old not in after.servers
    order = kinds(stage.acted, act.Join, act.Drain, act.Reset)
    assert order == ["Join", "Drain", "Reset"]
    settled(stage, after, SPEC)


def test_the_only_control_plane_retires_once_another_serves() -> None:
    stage = Stage(12)
    single = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
    view = stage.site.create_pool(single, stage.attempt())
    old = next(name for name, server in view.servers.items() if server.role is Role.CONTROL_PLANE)
    stage.mark(old, retire=True)
    after = stage.become(view, single, single)
    assert old not in after.servers
    settled(stage, after, single)


@pytest.mark.parametrize("role", list(Role))
def test_a_lost_server_is_replaced_without_being_reached(role: Role) -> None:
    stage, view = made(12)
    old = next(name for name, server in view.servers.items() if server.role is role)
    stage.machine(old).powered = False
    stage.mark(old, lost=True)
    stage.events.clear()
    after = stage.become(view, SPEC)
    assert old not in after.servers
    done = [event.step for event in stage.events if event.outcome == "done"]
    joined = next(name for name in done if name.startswith("join "))
    assert done.index(f"forget {old}") < done.index(joined)  # requests go to its pods until then
    stage.machine(old).claim = None  # so that `settled` can count the claims
    settled(stage, after, SPEC)


def test_a_selector_moves_the_pool() -> None:
    stage, view = made(12)
    wanted = replace(SPEC, selector=Selector(frozenset({"rack1", "rack2"})))
    after = stage.become(view, wanted)
    assert {server.zone for server in after.servers.values()} == {"rack1", "rack2"}
    settled(stage, after, wanted)


def test_a_change_that_got_part_of_the_way_says_who_came_and_who_went() -> None:
    stage, view = made(12)
    large = replace(SPEC, cores=40, memory_gib=80)
    one, *others = sorted(stage.plan(view, large, SPEC).joining)
    failing = Fault(act.Join, CommandFailed("no"), servers=one)
    with stage.faults(failing), pytest.raises(PoolIncomplete) as caught:
        stage.become(view, large)
    assert caught.value.detail.endswith(f"Joined: {', '.join(others)}.\nNot joined: {one}.")
    view = stage.become(stage.read(view), large)
    one, *others = sorted(stage.plan(view, SPEC, large).leaving)
    stays = Fault(act.Reset, CommandFailed("no"), servers=one)
    with stage.faults(stays), pytest.raises(PoolIncomplete) as caught:
        stage.become(view, SPEC, large)
    assert caught.value.detail.endswith(f"Left: {', '.join(others)}.\nNot left: {one}.")


def test_metallb_and_drain_change_without_touching_a_server() -> None:
    stage, view = made()
    pools = {"other": ("10.0.1.240-10.0.1.250",)}
    wanted = replace(SPEC, metallb_pools=pools, drain=replace(SPEC.drain, timeout_seconds=30))
    after = stage.become(view, wanted)
    assert touched(stage) == set()
    cluster = stage.machine(next(iter(after.servers))).cluster
    assert cluster is not None
    assert cluster.pools == pools
    settled(stage, after, wanted)
    without = stage.become(after, replace(wanted, metallb_pools={}), wanted)
    assert not cluster.metallb
    settled(stage, without, replace(wanted, metallb_pools={}))


def test_a_planned_server_that_was_taken_meanwhile_is_a_stale_plan_and_the_rest_is_done() -> None:
    stage, view = made(12)
    wanted = replace(SPEC, cores=32, memory_gib=64)
    target = stage.plan(view, wanted, SPEC)
    taken, other = sorted(target.joining)
    stage.machine(taken).claim = FOREIGN
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.change_pool(view, wanted, target.roles, stage.attempt())
    assert isinstance(caught.value.cause, StalePlan)
    assert f"{taken} was to join, but is claimed by cluster other" in caught.value.summary
    partial = caught.value.view
    assert partial is not None
    assert set(partial.servers) == {*view.servers, other}
    assert (partial.cores, partial.condition) == (SPEC.cores, Condition.SETTLED)
    assert stage.machine(taken).claim == FOREIGN
    stage.machine(taken).claim = None
    settled(stage, stage.become(partial, wanted), wanted)


def test_one_that_is_no_longer_clean_as_it_is_claimed_says_what_is_there() -> None:
    stage, view = made(12)
    target = stage.plan(view, BIGGER, SPEC)
    (server,) = target.joining
    trace = "/etc/kubernetes/kubelet.conf"

    def begin(_: act.TakeClaim) -> None:
        stage.machine(server).traces = (trace,)

    message = f"{server} was to join, but is not clean: {trace}"
    with (
        stage.faults(Fault(act.TakeClaim, begin)),
        pytest.raises(PoolIncomplete, match=message),
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())


def test_a_lone_server_that_was_taken_meanwhile_changes_nothing() -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    (taken,) = target.joining
    stage.machine(taken).claim = FOREIGN
    with pytest.raises(RpoolError) as caught:
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    error = caught.value
    cause = error.cause if isinstance(error, PoolIncomplete) else error
    assert isinstance(cause, StalePlan)
    assert stage.site.read_pool(view).view == view
    after = stage.become(view, BIGGER)
    assert taken not in after.servers
    stage.machine(taken).claim = None
    settled(stage, after, BIGGER)


def test_a_failed_drain_leaves_the_server_in_the_pool() -> None:
    stage, view = made()
    target = stage.plan(view, SMALLER, SPEC)
    (leaving,) = target.leaving
    through = next(iter(n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE))
    with (
        stage.faults(Fault(act.Drain, CommandFailed("a budget is in the way"))),
        pytest.raises(PoolIncomplete, match="a budget") as caught,
    ):
        stage.site.change_pool(view, SMALLER, target.roles, stage.attempt())
    after = caught.value.view
    assert after is not None
    assert (after.cores, after.condition) == (SPEC.cores, Condition.SETTLED)
    assert set(after.servers) == set(view.servers)
    claim = stage.machine(leaving).claim
    assert claim is not None
    assert claim.phase is Phase.MEMBER
    cluster = stage.machine(through).cluster
    assert cluster is not None
    assert not cluster.cordoned
    settled(stage, stage.become(after, SMALLER), SMALLER)


def test_no_member_leaves_etcd_while_the_rest_would_lose_its_quorum() -> None:
    stage, view = made(12)
    control_planes = [n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE]
    one = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
    target = stage.plan(view, one, SPEC)
    staying = next(name for name in control_planes if name in target.roles)
    leaving = sorted(target.leaving)
    # One of the two that leave is dead: two of three answer, and either of those is needed.
    stage.machine(leaving[0]).powered = False
    with pytest.raises((Unreachable, Refused)):
        stage.site.change_pool(view, one, target.roles, stage.attempt())
    assert stage.acted == []
    cluster = stage.machine(staying).cluster
    assert cluster is not None
    assert {staying, leaving[1]} <= set(cluster.members)
    assert stage.world.observe(staying).record is not None  # it still serves


def test_no_member_leaves_etcd_that_the_others_need_for_their_quorum() -> None:
    """Two of five are silent, and two more are to leave: without either there is no quorum."""
    stage = Stage(14)
    view = stage.site.create_pool(FIVE, stage.attempt())
    target = stage.plan(view, SPEC, FIVE)
    staying = [name for name in view.control_planes if name in target.roles]
    for name in staying[:2]:
        stage.machine(name).powered = False
    stage.acted.clear()
    with pytest.raises(Refused, match="would have no quorum: 2 of 4"):
        stage.site.change_pool(view, SPEC, target.roles, stage.attempt())
    assert stage.acted == []
    assert len(stage.world.etcd_members(staying[2])) == 5  # etcd still has a quorum, and answers


@pytest.mark.parametrize("kind", CHANGES)
def test_what_was_done_although_its_answer_was_lost_is_seen_and_the_change_goes_on(
    kind: type[Action],
) -> None:
    stage, view = made(12)
    stage.mark(with_role(view, Role.WORKER)[0], retire=True)
    lost = Fault(kind, OutcomeUnknown("contact broke"), AFTER, times=1, sure=False)
    with stage.faults(lost):
        settled(stage, stage.become(view, SPEC), SPEC)


@pytest.mark.parametrize("kind", [act.TakeClaim, act.Prepare, act.Join, act.WriteRecord])
def test_a_server_that_does_not_get_in_is_tried_again_by_the_next_plan(
    kind: type[Action],
) -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    with (
        stage.faults(Fault(kind, OutcomeUnknown("contact broke"))),
        pytest.raises(PoolIncomplete) as caught,
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    partial = caught.value.view
    assert partial is not None
    assert partial.cores == SPEC.cores
    assert stage.claimed() <= set(partial.servers)
    refreshed = stage.site.read_pool(partial).view
    assert refreshed is not None
    assert stage.claimed() <= set(refreshed.servers)
    settled(stage, stage.become(refreshed, BIGGER), BIGGER)


def test_nothing_is_changed_while_another_operation_holds_the_pool() -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    control_plane = next(n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE)
    with (
        stage.world.lock(control_plane, view.uid),
        pytest.raises(Refused, match="locked"),
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert stage.acted == []


def test_without_a_majority_of_the_locks_nothing_is_changed() -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    silent = Fault(Lock, Unreachable("no answer about a lock"), servers=view.control_planes[:2])
    with (
        stage.faults(silent),
        pytest.raises(Unreachable, match="1 of 3 control planes; 2 are needed"),
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert stage.acted == []


def test_two_that_never_got_in_and_died_do_not_keep_the_lock_from_anybody() -> None:
    """One control plane was to become three; both of the new ones are gone for good."""
    stage = Stage(9)
    view = stage.site.create_pool(ONE, stage.attempt())
    new = stage.plan(view, SPEC, ONE).joining
    with (
        stage.faults(Fault(act.Prepare, CommandFailed("no"), servers=new)),
        pytest.raises(PoolIncomplete) as caught,
    ):
        stage.become(view, SPEC, ONE)
    assert caught.value.view is not None
    for name in new:
        stage.machine(name).powered = False
        stage.mark(name, lost=True)
    after = stage.become(caught.value.view, SPEC, ONE)
    assert after.condition is Condition.SETTLED
    assert len(after.control_planes) == 3
    assert new.isdisjoint(after.servers)


def test_a_plan_that_somebody_overtook_changes_nothing() -> None:
    stage, view = made(12)
    shrink = stage.plan(view, SMALLER, SPEC)
    bigger = stage.become(view, BIGGER)
    (joined,) = set(bigger.servers) - set(view.servers)
    stage.acted.clear()
    with pytest.raises(StalePlan, match=f"somebody else since the plan: {joined} came"):
        stage.site.change_pool(view, SMALLER, shrink.roles, stage.attempt())
    stage.become(bigger, SPEC, BIGGER)
    stage.acted.clear()
    stale = {name: server.role for name, server in bigger.servers.items()}
    with pytest.raises(StalePlan, match="left"):
        stage.site.change_pool(bigger, BIGGER, stale, stage.attempt())
    assert stage.acted == []


@pytest.mark.parametrize("last", [act.WriteRecord, act.Prepare])
def test_an_operation_that_lost_its_lock_writes_no_record(last: type[Action]) -> None:
    """Neither a settled one nor, where nothing was changed, the former one."""
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    (joining,) = target.joining
    with (
        stage.faults(Fault(last, Break.LOCKS_LOST, AFTER)),
        pytest.raises(PoolIncomplete) as caught,
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert caught.value.view is not None
    assert (joining in caught.value.view.servers) is (last is act.Prepare)
    assert len(kinds(stage.acted, act.WriteRecord)) == 1
    assert not any(isinstance(action, act.Join) for action in stage.acted)
