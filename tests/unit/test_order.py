"""Which step of an operation waits for which, and what a lost lock ends: on modelled servers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from worlds.expect import kinds, settled
from worlds.fault import AFTER, INSTEAD, Answer, Break, EtcdMembers, Fault, Lock, Probe
from worlds.stage import BIGGER, FIVE, ONE, SMALLER, SPEC, Stage, killed, made

from rpool.api import NodeRequest, PoolIncomplete
from rpool.errors import CommandFailed, OutcomeUnknown, Refused, RpoolError, StalePlan, Unreachable
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Phase
from rpool.model.pool import Endpoint, NodeSpec, PoolSpec
from rpool.model.seen import EtcdMember
from rpool.model.server import Role
from rpool.model.view import PoolView

NODE = "r3u11"


def started(stage: Stage, verb: str) -> list[str]:
    steps = [event.step for event in stage.events if event.outcome == "started"]
    return [step for step in steps if step.startswith(f"{verb} ")]


def test_control_planes_join_one_after_the_other() -> None:
    """Two at once race for etcd (kubeadm#2005), so the second waits until the first has joined."""
    stage, view = made(12)
    target = stage.plan(view, FIVE, SPEC)
    new = [name for name in target.joining if target.roles[name] is Role.CONTROL_PLANE]
    stage.events.clear()
    with (
        stage.faults(Fault(act.Join, CommandFailed("no"), servers=new)),
        pytest.raises(RpoolError),
    ):
        stage.site.change_pool(view, FIVE, target.roles, stage.attempt())
    assert len(new) == 2
    assert len(started(stage, "join")) == 1


def test_nobody_leaves_before_those_that_join_are_ready() -> None:
    stage, view = made(12)
    old = next(name for name, member in view.servers.items() if member.role is Role.WORKER)
    stage.mark(old, retire=True)
    with (
        stage.faults(Fault(act.AwaitReady, CommandFailed("not Ready"))),
        pytest.raises(RpoolError, match="not Ready"),
    ):
        stage.become(view, SPEC)
    assert kinds(stage.acted, act.Join) == ["Join"]
    assert kinds(stage.acted, act.Drain, act.SetPhase) == ["SetPhase"]  # of the new member
    current = stage.site.read_pool(view).view
    assert current is not None
    settled(stage, stage.become(current, SPEC), SPEC)


@pytest.mark.parametrize("wanted", [SPEC, FIVE], ids=["one more leaves", "its place is taken"])
def test_a_dead_control_plane_is_out_of_etcd_before_others_join_or_leave(
    wanted: PoolSpec,
) -> None:
    """It counts against the quorum of whatever comes after it."""
    stage = Stage(14)
    view = stage.site.create_pool(FIVE, stage.attempt())
    dead = view.control_planes[0]
    stage.machine(dead).powered = False
    stage.mark(dead, lost=True)
    stage.acted.clear()
    stage.events.clear()
    stuck = Fault(
        act.RemoveEtcdMember, CommandFailed("no"), where=lambda action: action.member == dead
    )
    with stage.faults(stuck), pytest.raises(RpoolError):
        stage.become(view, wanted, FIVE)
    assert started(stage, "join") == []
    assert kinds(stage.acted, act.Drain, act.StepDown, act.Reset) == []


@pytest.mark.parametrize(("small", "big"), [(ONE, SPEC), (SPEC, FIVE)], ids=["1-3-1", "3-5-3"])
def test_a_growth_that_is_taken_back_as_its_join_still_runs_costs_no_quorum(
    small: PoolSpec, big: PoolSpec
) -> None:
    """The process that runs a control plane's join is killed. The join goes on by itself and holds
    the server's lock, so it is over before a departure or a reset begins there.
    """
    stage = Stage(14)
    view = stage.site.create_pool(small, stage.attempt())
    still_runs = Fault(
        act.Join, Break.KILLED, INSTEAD, where=lambda action: action.control_plane, times=1
    )
    with stage.faults(still_runs) as (joins,), pytest.raises(RpoolError):
        stage.become(view, big, small)
    (join,) = joins
    machine, cluster = stage.machine(join.server), stage.cluster(view)

    def waits(action: Action) -> bool:
        leaves = isinstance(action, act.SetPhase) and action.phase is Phase.LEAVING
        return leaves or isinstance(action, act.Reset)

    def end(_: Action) -> None:
        machine.become(cluster, Role.CONTROL_PLANE)

    end_of_join = Fault((act.SetPhase, act.Reset), end, servers=join.server, where=waits, times=1)
    current = stage.read(view)
    with stage.faults(end_of_join):
        settled(stage, stage.become(current, small, small), small)


@pytest.mark.parametrize("again", ["the same server", "re-installed"])
def test_who_joins_as_a_control_plane_is_out_of_etcd_first(again: str) -> None:
    """kubeadm would take a former member for the new one, which never starts."""
    stage, view = made(12)
    control_plane = view.control_planes[0]
    cluster = stage.machine(control_plane).cluster
    assert cluster is not None
    if again == "re-installed":
        stage.machine(control_plane).reset()
    else:  # its join was cut off after etcd had it
        machine = stage.machine(control_plane)
        machine.cluster, machine.role = None, None
        assert machine.claim is not None
        assert cluster.record is not None
        machine.claim = replace(machine.claim, phase=Phase.BOOTSTRAPPING)
    del cluster.nodes[control_plane]
    former = cluster.members[control_plane]
    roles = {name: member.role for name, member in view.servers.items()}
    after = stage.site.change_pool(view, SPEC, roles, stage.attempt())
    settled(stage, after, SPEC)
    assert cluster.members[control_plane] != former


def test_a_server_whose_name_a_living_member_of_etcd_has_does_not_push_it_out() -> None:
    """Entries of the fleet may have changed places."""
    stage, view = made(12)
    target = stage.plan(view, FIVE, SPEC)
    new = sorted(name for name in target.joining if target.roles[name] is Role.CONTROL_PLANE)
    cluster = stage.cluster(view)
    impostors = dict(zip(new, ("beef", "cafe"), strict=True))
    cluster.members.update(impostors)

    def alive(members: tuple[EtcdMember, ...]) -> tuple[EtcdMember, ...]:
        return tuple(
            replace(member, healthy=member.healthy or member.name in impostors)
            for member in members
        )

    with (
        stage.faults(Fault(EtcdMembers, Answer(alive))),
        pytest.raises(RpoolError, match=f"({'|'.join(new)}) is to join, but etcd has a member of"),
    ):
        stage.site.change_pool(view, FIVE, target.roles, stage.attempt())
    assert cluster.members.items() >= impostors.items()


@pytest.mark.parametrize("spec", [ONE, SPEC], ids=["the only one", "one of three"])
def test_no_second_cluster_is_begun_on_a_member(spec: PoolSpec) -> None:
    """Somebody has removed /var/lib/rpool/joined there."""
    stage = Stage(12)
    view = stage.site.create_pool(spec, stage.attempt())
    stage.acted.clear()
    forgot = Answer(lambda probed: replace(probed, joined=False))
    with (
        stage.faults(Fault(Probe, forgot, servers=view.control_planes[0])),
        pytest.raises(Refused, match="nothing there says that kubeadm finished"),
    ):
        stage.become(view, replace(spec, cores=24, memory_gib=48), spec)
    assert kinds(stage.acted, act.Init, act.Join) == []


def create(stage: Stage, view: PoolView | None) -> None:
    control_plane = replace(SPEC.control_plane, endpoint=Endpoint(vip="10.0.1.201"))
    other = replace(SPEC, name="other", control_plane=control_plane, metallb_pools={})
    stage.site.create_pool(other, stage.attempt())


def grow(stage: Stage, view: PoolView) -> None:
    stage.become(view, BIGGER)


def shrink(stage: Stage, view: PoolView) -> None:
    stage.become(view, SMALLER)


def destroy(stage: Stage, view: PoolView) -> None:
    stage.site.destroy_pool(view, stage.attempt())


def pin(stage: Stage, view: PoolView) -> None:
    stage.site.pin_node(NodeRequest(view.uid, NODE, NodeSpec()), stage.attempt())


def unpin(stage: Stage, view: PoolView) -> None:
    stage.site.unpin_node(view.uid, NODE, stage.attempt())


def unpin_without_cluster(stage: Stage, view: PoolView) -> None:
    for name in view.control_planes:
        stage.machine(name).reset()
    unpin(stage, view)


@pytest.mark.parametrize(
    ("operation", "last", "never"),
    [
        (create, act.Prepare, act.Init),
        (grow, act.TakeClaim, act.Join),
        (shrink, act.Drain, act.Reset),
        (destroy, act.Drain, act.Reset),
        (pin, act.TakeClaim, act.Join),
        (unpin, act.Drain, act.Reset),
        (unpin_without_cluster, act.SetPhase, act.Reset),
    ],
)
def test_no_step_is_started_once_the_lock_is_lost(
    operation: Callable[[Stage, PoolView], None], last: type[Action], never: type[Action]
) -> None:
    stage = Stage(16)
    stage.mark(NODE, reserved=True)
    view = stage.site.create_pool(SPEC, stage.attempt())
    if operation in (unpin, unpin_without_cluster):
        pin(stage, view)
    stage.acted.clear()
    with (
        stage.faults(Fault(last, Break.LOCKS_LOST, AFTER)),
        pytest.raises(RpoolError, match="session lock was lost"),
    ):
        operation(stage, view)
    assert kinds(stage.acted, last) != []
    assert kinds(stage.acted, never) == []


def test_an_operation_looks_again_once_it_holds_the_lock_on_all_control_planes() -> None:
    """Another operation may have changed what it saw before; its record would be refused."""
    stage = Stage(14)
    stage.mark(NODE, reserved=True)
    view = stage.site.create_pool(ONE, stage.attempt())
    after = stage.become(view, SPEC, ONE)
    stage.site._in_use.see(view)  # this process knows one control plane of the three
    added = next(name for name in after.control_planes if name not in view.servers)
    cluster = stage.cluster(after)

    def come_to_an_end(_: Lock) -> None:
        assert cluster.record is not None
        cluster.record = replace(cluster.record, change="another's")

    with stage.faults(Fault(Lock, come_to_an_end, servers=added, times=1)):
        stage.site.pin_node(NodeRequest(view.uid, NODE, NodeSpec()), stage.attempt())
    assert stage.site.read_node(view.uid, NODE).spec == NodeSpec()


def test_who_is_on_the_way_out_of_a_cluster_without_a_record_is_not_taken_again() -> None:
    stage = Stage(12)
    with (
        stage.faults(Fault(act.WriteRecord, OutcomeUnknown("no"), sure=False)),
        killed(stage, act.RevokeJoiners),
        pytest.raises(PoolIncomplete) as caught,
    ):
        stage.site.create_pool(SPEC, stage.attempt())
    view = caught.value.view
    assert view is not None
    leaving = next(n for n, member in view.servers.items() if member.role is Role.WORKER)
    machine = stage.machine(leaving)
    assert machine.claim is not None
    machine.claim = replace(machine.claim, phase=Phase.LEAVING)
    roles = {name: member.role for name, member in view.servers.items()}
    with pytest.raises(RpoolError) as refused:
        stage.site.change_pool(view, SPEC, roles, stage.attempt())
    cause = getattr(refused.value, "cause", refused.value)
    assert isinstance(cause, StalePlan)
    assert f"{leaving} was to join, but it is leaving this cluster" in refused.value.summary


def test_a_member_that_never_started_goes_with_its_server() -> None:
    """Its join was cut off just after etcd was told of it, and then the hardware died. While it
    counts in etcd, no other control plane joins.
    """
    stage, view = made(14)
    target = stage.plan(view, FIVE, SPEC)
    new = next(n for n in target.joining if target.roles[n] is Role.CONTROL_PLANE)
    address = stage.machine(new).server.address

    def unnamed(members: tuple[EtcdMember, ...]) -> tuple[EtcdMember, ...]:
        return tuple(
            replace(member, name="", peers=(address,), healthy=False, votes=False)
            if member.name == new
            else member
            for member in members
        )

    with stage.faults(Fault(act.Join, CommandFailed("no"), servers=new)), suppress(RpoolError):
        stage.site.change_pool(view, FIVE, target.roles, stage.attempt())
    stage.cluster(view).members[new] = "beef"
    stage.machine(new).powered = False
    stage.mark(new, lost=True)
    after = stage.read(view)
    with stage.faults(Fault(EtcdMembers, Answer(unnamed))):
        after = stage.become(after, FIVE)
    stage.machine(new).claim = None  # so that `settled` can count the claims
    settled(stage, after, FIVE)


def test_the_join_token_is_revoked_also_where_one_join_failed_for_good() -> None:
    """A second round leaves that join out, and what comes after it does not wait for it."""
    stage, view = made(12)
    bigger = replace(SPEC, cores=3 * SPEC.cores, memory_gib=3 * SPEC.memory_gib)
    one, other, *_ = sorted(stage.plan(view, bigger, SPEC).joining)
    for_good = Fault(act.Join, CommandFailed("no"), servers=one)
    once = Fault(act.Prepare, Unreachable("a moment"), servers=other, times=1)
    with stage.faults(for_good, once), pytest.raises(PoolIncomplete, match="no") as caught:
        stage.become(view, bigger, SPEC)
    assert "a moment" not in str(caught.value), "what went well in the second round is no failure"
    assert kinds(stage.acted, act.AdmitJoiners, act.RevokeJoiners)[-1] == "RevokeJoiners"
