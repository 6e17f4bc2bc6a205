"""Changing a pool that serves, on modelled servers that keep the real rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from stage import FOREIGN, SPEC, Losing, Stage

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
from rpool.model.pool import PoolSpec, Selector
from rpool.model.record import RecordPhase
from rpool.model.server import Role
from rpool.model.view import Condition, PoolView
from rpool.model.world import SessionLock

BIGGER = replace(SPEC, cores=24, memory_gib=48)
SMALLER = replace(SPEC, cores=8, memory_gib=16)
FIVE = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=5))


def made(count: int = 9) -> tuple[Stage, PoolView]:
    stage = Stage(count)
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.world.acted.clear()
    return stage, view


def touched(stage: Stage) -> set[str]:
    """The servers that an action changed something on, less what goes through the API."""
    own = (act.TakeClaim, act.SetPhase, act.Prepare, act.Join, act.StepDown, act.Reset)
    return {action.server for action in stage.world.acted if isinstance(action, own)}


def kinds(actions: Sequence[Action], *wanted: type) -> list[str]:
    return [type(action).__name__ for action in actions if isinstance(action, wanted)]


def settled(stage: Stage, view: PoolView, spec: PoolSpec) -> None:
    """The pool is what was asked for, by every account, and planning again gives nothing."""
    assert view.condition is Condition.SETTLED
    assert (view.cores, view.memory_gib) == (spec.cores, spec.memory_gib)
    assert view.allocated_cores >= spec.cores
    assert view.allocated_memory_gib >= spec.memory_gib
    heads = [name for name, its in view.servers.items() if its.role is Role.CONTROL_PLANE]
    assert len(heads) == spec.control_plane.servers
    assert stage.claimed() == set(view.servers)
    cluster = stage.machine(heads[0]).cluster
    assert cluster is not None
    assert set(cluster.members) == set(heads)
    assert set(cluster.nodes) == set(view.servers)
    assert not cluster.cordoned
    assert not cluster.tokens
    assert cluster.record is not None
    assert cluster.record.phase is RecordPhase.SETTLED
    assert cluster.record.spec == spec
    assert set(cluster.record.members) == set(view.servers)
    for name in view.servers:
        claim = stage.machine(name).claim
        assert claim is not None
        assert claim.phase is Phase.MEMBER
    assert stage.site.read_pool(view).view == view
    again = stage.plan(view, spec, spec)
    assert (again.joining, again.leaving) == (frozenset(), frozenset())
    stage.world.acted.clear()
    assert stage.site.change_pool(view, spec, again.roles, stage.attempt()) == view
    assert stage.world.acted == []


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
    of_the_way = kinds(stage.world.acted, act.Drain, act.SetPhase, act.Reset, act.DeleteNode)
    assert of_the_way == ["Drain", "SetPhase", "Reset", "DeleteNode"]
    assert touched(stage) == {leaving}
    assert stage.world.probe(leaving).is_spare
    settled(stage, shrunk, SMALLER)


def test_control_planes_go_from_three_to_five_and_back() -> None:
    stage, view = made(12)
    five = stage.become(view, FIVE)
    settled(stage, five, FIVE)
    stage.world.acted.clear()
    three = stage.become(five, SPEC, FIVE)
    removals = kinds(stage.world.acted, act.StepDown, act.RemoveEtcdMember, act.Reset)
    assert removals == ["StepDown", "RemoveEtcdMember", "Reset"] * 2
    settled(stage, three, SPEC)


@pytest.mark.parametrize("role", list(Role))
def test_a_retiring_server_is_replaced_first(role: Role) -> None:
    stage, view = made(12)
    old = next(name for name, its in view.servers.items() if its.role is role)
    stage.mark(old, retire=True)
    after = stage.become(view, SPEC)
    assert old not in after.servers
    order = kinds(stage.world.acted, act.Join, act.Drain, act.Reset)
    assert order == ["Join", "Drain", "Reset"]
    settled(stage, after, SPEC)


def test_the_only_control_plane_retires_once_another_serves() -> None:
    stage = Stage(12)
    single = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
    view = stage.site.create_pool(single, stage.attempt())
    old = next(name for name, its in view.servers.items() if its.role is Role.CONTROL_PLANE)
    stage.mark(old, retire=True)
    after = stage.become(view, single, single)
    assert old not in after.servers
    settled(stage, after, single)


@pytest.mark.parametrize("role", list(Role))
def test_a_lost_server_is_replaced_without_being_reached(role: Role) -> None:
    stage, view = made(12)
    old = next(name for name, its in view.servers.items() if its.role is role)
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
    cluster = stage.machine(next(iter(after.servers))).cluster
    assert cluster is not None
    assert cluster.record is not None
    assert cluster.record.retired == {old}


def test_a_selector_moves_the_pool() -> None:
    stage, view = made(12)
    wanted = replace(SPEC, selector=Selector(frozenset({"rack1", "rack2"})))
    after = stage.become(view, wanted)
    assert {its.zone for its in after.servers.values()} == {"rack1", "rack2"}
    settled(stage, after, wanted)


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
    assert f"{taken} was to join, but is claimed by pool other" in caught.value.summary
    partial = caught.value.view
    assert partial is not None
    assert set(partial.servers) == {*view.servers, other}
    assert (partial.cores, partial.condition) == (SPEC.cores, Condition.SETTLED)
    assert stage.machine(taken).claim == FOREIGN
    stage.machine(taken).claim = None
    settled(stage, stage.become(partial, wanted), wanted)


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
    via = next(iter(n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE))
    for head in (n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE):
        stage.world.broken[act.Drain, head] = CommandFailed("a budget is in the way")
    with pytest.raises(PoolIncomplete, match="a budget") as caught:
        stage.site.change_pool(view, SMALLER, target.roles, stage.attempt())
    after = caught.value.view
    assert after is not None
    assert (after.cores, after.condition) == (SPEC.cores, Condition.SETTLED)
    assert set(after.servers) == set(view.servers)
    claim = stage.machine(leaving).claim
    assert claim is not None
    assert claim.phase is Phase.MEMBER
    cluster = stage.machine(via).cluster
    assert cluster is not None
    assert not cluster.cordoned
    stage.world.broken.clear()
    settled(stage, stage.become(after, SMALLER), SMALLER)


def test_no_member_leaves_etcd_while_the_rest_would_lose_its_quorum() -> None:
    stage, view = made(12)
    heads = [n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE]
    one = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
    target = stage.plan(view, one, SPEC)
    staying = next(name for name in heads if name in target.roles)
    leaving = sorted(target.leaving)
    # One of the two that leave is dead: two of three answer, and either of those is needed.
    stage.machine(leaving[0]).powered = False
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.change_pool(view, one, target.roles, stage.attempt())
    assert isinstance(caught.value.cause, Unreachable | Refused)
    cluster = stage.machine(staying).cluster
    assert cluster is not None
    assert {staying, leaving[1]} <= set(cluster.members)
    assert stage.world.observe(staying).record is not None  # it still serves


def test_no_member_leaves_etcd_that_the_others_need_for_their_quorum() -> None:
    """Of five two are silent, and two more are to leave: either would take the quorum along."""
    stage = Stage(14)
    view = stage.site.create_pool(FIVE, stage.attempt())
    target = stage.plan(view, SPEC, FIVE)
    staying = [name for name in view.control_planes if name in target.roles]
    for name in staying[:2]:
        stage.machine(name).powered = False
    with pytest.raises(PoolIncomplete, match="would have no quorum: 2 of 4") as caught:
        stage.site.change_pool(view, SPEC, target.roles, stage.attempt())
    assert isinstance(caught.value.cause, Refused)
    assert kinds(stage.world.acted, act.RemoveEtcdMember) == []
    assert len(stage.world.etcd_members(staying[2])) == 5  # it still has a quorum to tell of it


@pytest.mark.parametrize("kind", [act.TakeClaim, act.Prepare, act.Join, act.WriteRecord])
def test_a_server_that_does_not_get_in_is_tried_again_by_the_next_plan(
    kind: type[Action],
) -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    for name in stage.world.machines:
        stage.world.broken[kind, name] = OutcomeUnknown("contact broke")
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    partial = caught.value.view
    assert partial is not None
    assert partial.cores == SPEC.cores
    assert stage.claimed() <= set(partial.servers)
    stage.world.broken.clear()
    found = stage.site.read_pool(partial).view
    assert found is not None
    assert stage.claimed() <= set(found.servers)
    settled(stage, stage.become(found, BIGGER), BIGGER)


def test_nothing_is_changed_while_another_operation_holds_the_pool() -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    head = next(n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE)
    with (
        stage.world.lock(head, view.uid),
        pytest.raises(Refused, match="locked"),
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert stage.world.acted == []


def test_without_a_majority_of_the_locks_nothing_is_changed() -> None:
    stage, view = made()
    target = stage.plan(view, BIGGER, SPEC)
    lock = stage.world.lock

    @contextmanager
    def frozen(server: str, uid: str) -> Iterator[SessionLock]:
        if server in view.control_planes[:2]:
            raise Unreachable(f"{server} gave no answer about a lock")
        with lock(server, uid) as held:
            yield held

    stage.world.lock = frozen  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="1 of 3 control planes; 2 are needed"):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert stage.world.acted == []


def test_two_that_never_got_in_and_died_do_not_keep_the_lock_from_anybody() -> None:
    """One control plane was to become three; both of the new ones are gone for good."""
    stage = Stage(9)
    one = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
    view = stage.site.create_pool(one, stage.attempt())
    new = stage.plan(view, SPEC, one).joining
    for name in new:
        stage.world.broken[act.Prepare, name] = CommandFailed("no")
    with pytest.raises(PoolIncomplete) as caught:
        stage.become(view, SPEC, one)
    assert caught.value.view is not None
    for name in new:
        stage.machine(name).powered = False
        stage.mark(name, lost=True)
    after = stage.become(caught.value.view, SPEC, one)
    assert after.condition is Condition.SETTLED
    assert len(after.control_planes) == 3
    assert new.isdisjoint(after.servers)


def test_a_plan_that_somebody_overtook_changes_nothing() -> None:
    stage, view = made(12)
    shrink = stage.plan(view, SMALLER, SPEC)
    bigger = stage.become(view, BIGGER)
    (came,) = set(bigger.servers) - set(view.servers)
    stage.world.acted.clear()
    with pytest.raises(StalePlan, match=f"somebody else since the plan: {came} came"):
        stage.site.change_pool(view, SMALLER, shrink.roles, stage.attempt())
    stage.become(bigger, SPEC, BIGGER)
    stage.world.acted.clear()
    stale = {name: its.role for name, its in bigger.servers.items()}
    with pytest.raises(StalePlan, match="left"):
        stage.site.change_pool(bigger, BIGGER, stale, stage.attempt())
    assert stage.world.acted == []


def test_an_operation_that_lost_its_lock_writes_no_record() -> None:
    stage = Stage(9, Losing)
    view = stage.site.create_pool(SPEC, stage.attempt())
    target = stage.plan(view, BIGGER, SPEC)
    (joining,) = target.joining
    stage.world.broken[act.Join, joining] = CommandFailed("no")
    losing(stage).lose_after(act.Prepare)
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert caught.value.view is not None
    assert joining in caught.value.view.servers
    assert len(kinds(stage.world.acted, act.WriteRecord)) == 1


def losing(stage: Stage) -> Losing:
    assert isinstance(stage.world, Losing)
    return stage.world
