"""What waits for what in an operation, and what a lost lock ends: on modelled servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from stage import SPEC, Losing, Stage, killed
from test_change import BIGGER, FIVE, kinds, losing, made, settled

from rpool.api import NodeRequest
from rpool.errors import CommandFailed, OutcomeUnknown, Refused, RpoolError, StalePlan, Unreachable
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Phase
from rpool.model.pool import NodeSpec
from rpool.model.seen import Probed
from rpool.model.server import Role
from rpool.model.view import PoolView
from rpool.simulate.machine import Cluster
from rpool.simulate.world import SimulatedWorld

ONE = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
NODE = "r3u11"


def started(stage: Stage, verb: str) -> list[str]:
    steps = [its.step for its in stage.events if its.outcome == "started"]
    return [step for step in steps if step.startswith(f"{verb} ")]


def test_control_planes_join_one_after_the_other() -> None:
    """Two at once race for etcd (kubeadm#2005), so the second waits until the first has joined."""
    stage, view = made(12)
    target = stage.plan(view, FIVE, SPEC)
    new = [name for name in target.joining if target.roles[name] is Role.CONTROL_PLANE]
    for name in new:
        stage.world.broken[act.Join, name] = CommandFailed("no")
    stage.events.clear()
    with pytest.raises(RpoolError):
        stage.site.change_pool(view, FIVE, target.roles, stage.attempt())
    assert len(new) == 2
    assert len(started(stage, "join")) == 1


def test_nobody_leaves_before_those_that_join_are_ready() -> None:
    stage, view = made(12)
    old = next(name for name, its in view.servers.items() if its.role is Role.WORKER)
    stage.mark(old, retire=True)
    for name in view.control_planes:
        stage.world.broken[act.AwaitReady, name] = CommandFailed("not Ready")
    with pytest.raises(RpoolError, match="not Ready"):
        stage.become(view, SPEC)
    assert kinds(stage.world.acted, act.Join) == ["Join"]
    assert kinds(stage.world.acted, act.Drain, act.SetPhase) == ["SetPhase"]  # of the new member
    stage.world.broken.clear()
    found = stage.site.read_pool(view).view
    assert found is not None
    settled(stage, stage.become(found, SPEC), SPEC)


class Stuck(SimulatedWorld):
    """One member cannot be taken out of etcd."""

    stuck = ""

    def carry_out(self, action: Action, timeout_seconds: float) -> None:
        if isinstance(action, act.RemoveEtcdMember) and action.member == self.stuck:
            raise CommandFailed("no")
        super().carry_out(action, timeout_seconds)


@pytest.mark.parametrize("wanted", [SPEC, FIVE], ids=["one more leaves", "its place is taken"])
def test_a_dead_control_plane_is_out_of_etcd_before_others_join_or_leave(
    wanted: object,
) -> None:
    """It counts against the quorum of whatever comes after it."""
    stage = Stage(14, Stuck)
    assert isinstance(stage.world, Stuck)
    view = stage.site.create_pool(FIVE, stage.attempt())
    dead = view.control_planes[0]
    stage.machine(dead).powered = False
    stage.mark(dead, lost=True)
    stage.world.stuck = dead
    stage.world.acted.clear()
    stage.events.clear()
    with pytest.raises(RpoolError):
        stage.become(view, SPEC if wanted is SPEC else FIVE, FIVE)
    assert started(stage, "join") == []
    assert kinds(stage.world.acted, act.Drain, act.StepDown, act.Reset) == []


class Late(SimulatedWorld):
    """The operator of a control plane's join is killed as it runs: it goes on there by itself and
    holds the server's lock, so it is over before a departure or a reset begins there.
    """

    late: Cluster | None = None
    server = ""
    dead = False

    def carry_out(self, action: Action, timeout_seconds: float) -> None:
        if self.dead:
            raise Unreachable("killed")
        if isinstance(action, act.Join) and action.control_plane and not self.server:
            self.late, self.server, self.dead = self._serving(action.via), action.server, True
            raise Unreachable("killed")
        waits = isinstance(action, act.Reset) or (
            isinstance(action, act.SetPhase) and action.phase is Phase.LEAVING
        )
        if waits and action.server == self.server and self.late is not None:
            self.machines[self.server].become(self.late, Role.CONTROL_PLANE)
            self.late = None
        super().carry_out(action, timeout_seconds)


@pytest.mark.parametrize(("fewer", "more"), [(ONE, SPEC), (SPEC, FIVE)], ids=["1-3-1", "3-5-3"])
def test_a_growth_that_is_taken_back_as_its_join_still_runs_costs_no_quorum(
    fewer: object, more: object
) -> None:
    small, big = (ONE, SPEC) if fewer is ONE else (SPEC, FIVE)
    stage = Stage(14, Late)
    assert isinstance(stage.world, Late)
    stage.world.server = "not yet"
    view = stage.site.create_pool(small, stage.attempt())
    stage.world.server = ""
    with pytest.raises(RpoolError):
        stage.become(view, big, small)
    assert stage.world.dead
    stage.world.dead = False
    found = stage.site.read_pool(view).view
    assert found is not None
    settled(stage, stage.become(found, small, small), small)


@pytest.mark.parametrize("again", ["the same server", "re-installed"])
def test_who_joins_as_a_control_plane_is_out_of_etcd_first(again: str) -> None:
    """kubeadm would take a former member for the new one, which never starts."""
    stage, view = made(12)
    head = view.control_planes[0]
    cluster = stage.machine(head).cluster
    assert cluster is not None
    if again == "re-installed":
        stage.machine(head).reset()
    else:  # its join was cut off after etcd had it
        machine = stage.machine(head)
        machine.cluster, machine.role = None, None
        assert machine.claim is not None
        assert cluster.record is not None
        machine.claim = replace(machine.claim, phase=Phase.BOOTSTRAPPING)
        cluster.record = replace(cluster.record, joining=frozenset({head}))
    del cluster.nodes[head]
    former = cluster.members[head]
    roles = {name: its.role for name, its in view.servers.items()}
    after = stage.site.change_pool(view, SPEC, roles, stage.attempt())
    settled(stage, after, SPEC)
    assert cluster.members[head] != former


def test_a_server_whose_name_a_living_member_of_etcd_has_does_not_push_it_out() -> None:
    """Two entries of the fleet have changed places, say."""
    stage, view = made(12)
    target = stage.plan(view, FIVE, SPEC)
    joining = sorted(n for n in target.joining if target.roles[n] is Role.CONTROL_PLANE)
    cluster = stage.machine(view.control_planes[0]).cluster
    assert cluster is not None
    impostor = joining[0]
    cluster.members[impostor] = "beef"
    stage.world.healthy.add(impostor)
    with pytest.raises(RpoolError, match=f"{impostor} is to join, but etcd has a member of that"):
        stage.site.change_pool(view, FIVE, target.roles, stage.attempt())
    assert cluster.members[impostor] == "beef"


class Forgetful(SimulatedWorld):
    """Somebody has removed /var/lib/rpool/joined on `forgot`."""

    forgot = ""

    def probe(self, server: str) -> Probed:
        probed = super().probe(server)
        return replace(probed, joined=False) if server == self.forgot else probed


@pytest.mark.parametrize("spec", [ONE, SPEC], ids=["the only one", "one of three"])
def test_no_second_cluster_is_begun_on_a_member(spec: object) -> None:
    wanted = ONE if spec is ONE else SPEC
    stage = Stage(12, Forgetful)
    assert isinstance(stage.world, Forgetful)
    view = stage.site.create_pool(wanted, stage.attempt())
    stage.world.forgot = view.control_planes[0]
    stage.world.acted.clear()
    bigger = replace(wanted, cores=24, memory_gib=48)
    with pytest.raises(Refused, match="nothing there says that kubeadm finished"):
        stage.become(view, bigger, wanted)
    assert kinds(stage.world.acted, act.Init, act.Join) == []


def create(stage: Stage, view: PoolView | None) -> None:
    stage.site.create_pool(replace(SPEC, name="other"), stage.attempt())


def grow(stage: Stage, view: PoolView) -> None:
    stage.become(view, BIGGER)


def shrink(stage: Stage, view: PoolView) -> None:
    stage.become(view, replace(SPEC, cores=8, memory_gib=16))


def destroy(stage: Stage, view: PoolView) -> None:
    stage.site.destroy_pool(view, stage.attempt())


def pin(stage: Stage, view: PoolView) -> None:
    stage.site.pin_node(NodeRequest(view.uid, NODE, NodeSpec()), stage.attempt())


def unpin(stage: Stage, view: PoolView) -> None:
    losing(stage).loses = lambda: False
    pin(stage, view)
    losing(stage).lose_after(act.Drain)
    stage.site.unpin_node(view.uid, NODE, stage.attempt())


def unpin_without_cluster(stage: Stage, view: PoolView) -> None:
    losing(stage).loses = lambda: False
    pin(stage, view)
    for name in view.control_planes:
        stage.machine(name).reset()
    losing(stage).lose_after(act.SetPhase)
    stage.site.unpin_node(view.uid, NODE, stage.attempt())


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
    stage = Stage(16, Losing)
    stage.mark(NODE, reserved=True)
    view = stage.site.create_pool(SPEC, stage.attempt())
    losing(stage).lose_after(last)
    with pytest.raises(RpoolError, match="session lock was lost"):
        operation(stage, view)
    assert kinds(stage.world.acted, last) != []
    assert kinds(stage.world.acted, never) == []


class Busy(SimulatedWorld):
    """Another operation comes to its end just before `on` is locked."""

    on = ""

    def lock(self, server: str, uid: str):  # type: ignore[no-untyped-def]
        cluster = self.machines[server].cluster
        if server == self.on and cluster is not None and cluster.record is not None:
            cluster.record = replace(cluster.record, change="another's")
            self.on = ""
        return super().lock(server, uid)


def test_an_operation_looks_again_once_it_holds_the_lock_on_all_control_planes() -> None:
    """What it saw before may be another operation's to change; its record would be refused."""
    stage = Stage(14, Busy)
    assert isinstance(stage.world, Busy)
    stage.mark(NODE, reserved=True)
    view = stage.site.create_pool(ONE, stage.attempt())
    after = stage.become(view, SPEC, ONE)
    stage.site._see(view)  # this process knows one control plane of the three
    stage.world.on = next(name for name in after.control_planes if name not in view.servers)
    stage.site.pin_node(NodeRequest(view.uid, NODE, NodeSpec()), stage.attempt())
    assert not stage.world.on
    assert stage.site.read_node(view.uid, NODE).spec == NodeSpec()


def test_who_is_on_the_way_out_of_a_cluster_without_a_record_is_not_taken_again() -> None:
    stage = Stage(12)
    for name in stage.world.machines:
        stage.world.broken[act.WriteRecord, name] = OutcomeUnknown("no")
    with (
        killed(stage, lambda action: isinstance(action, act.RevokeJoiners)),
        pytest.raises(RpoolError) as caught,
    ):
        stage.site.create_pool(SPEC, stage.attempt())
    stage.world.broken.clear()
    view = caught.value.view  # type: ignore[attr-defined]
    leaving = next(n for n, its in view.servers.items() if its.role is Role.WORKER)
    machine = stage.machine(leaving)
    assert machine.claim is not None
    machine.claim = replace(machine.claim, phase=Phase.LEAVING)
    roles = {name: its.role for name, its in view.servers.items()}
    with pytest.raises(RpoolError) as said:
        stage.site.change_pool(view, SPEC, roles, stage.attempt())
    cause = getattr(said.value, "cause", said.value)
    assert isinstance(cause, StalePlan)
    assert f"{leaving} was to join, but it is on its way out" in said.value.summary
