"""A plugin that is killed tells Terraform nothing: the state stays as it was before the change, and
so does the record of what was carried out. The next operation finds the cluster, and finishes.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from worlds.expect import settled
from worlds.fault import ACTIONS, AFTER, CHANGES, Fault
from worlds.stage import BIGGER, FOREIGN, ONE, SMALLER, SPEC, Stage, killed, made, with_role

from rpool.api import Current, PoolIncomplete, Site, Size
from rpool.config.node import NodeRequest
from rpool.errors import CommandFailed, Refused, RpoolError, StalePlan
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.pool import NodeSpec, PoolSpec, Selector
from rpool.model.record import Record
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import Condition, PoolView
from rpool.simulate.machine import Cluster


def kill(
    stage: Stage,
    view: PoolView,
    wanted: PoolSpec,
    before: PoolSpec = SPEC,
    after: type[Action] | tuple[type, ...] = act.WriteRecord,
) -> None:
    """Makes a change that is killed after the first such action."""
    target = stage.plan(view, wanted, before)
    with killed(stage, after):
        stage.site.change_pool(view, wanted, target.roles, stage.attempt())


def read(stage: Stage, view: PoolView) -> PoolView:
    stage.open()
    reading = stage.site.read_pool(view)
    assert reading.view is not None
    known = ("is incomplete: an apply finishes it", "1 member is unhealthy")
    assert all(any(text in warning for text in known) for warning in reading.warnings)
    return reading.view


def record_of(stage: Stage, view: PoolView) -> Record:
    record = stage.site.find_pool(view.uid).record
    assert record is not None
    return record


def fails(kind: type[Action]) -> Fault:
    return Fault(kind, CommandFailed("broken"))


def failed(
    stage: Stage, view: PoolView, wanted: PoolSpec, before: PoolSpec = SPEC, *faults: Fault
) -> PoolView:
    """Makes an apply that fails. Returns the cluster as read afterwards."""
    with stage.faults(*faults), pytest.raises(PoolIncomplete) as caught:
        stage.become(view, wanted, before)
    assert caught.value.view is not None
    return read(stage, caught.value.view)


@pytest.mark.parametrize("control_planes", [1, 3])
def test_a_pool_that_moves_from_rack_to_rack_is_found_wherever_it_was_killed(
    control_planes: int,
) -> None:
    def on(rack: str) -> PoolSpec:
        control_plane = replace(SPEC.control_plane, servers=control_planes)
        selector = Selector(frozenset({rack}))
        return replace(SMALLER, control_plane=control_plane, selector=selector)

    cut = 0
    while True:
        stage = Stage(12)
        view = stage.site.create_pool(on("rack1"), stage.attempt())
        target = stage.plan(view, on("rack2"), on("rack1"))
        with killed(stage, CHANGES, first=cut + 1, sure=False) as last:
            stage.site.change_pool(view, on("rack2"), target.roles, stage.attempt())
        state = read(stage, view)
        assert stage.claimed() <= set(state.servers)
        settled(stage, stage.become(state, on("rack2"), on("rack1")), on("rack2"))
        if not last:
            break
        cut += 1
    assert cut > 20


def test_a_pool_is_gone_only_when_nobody_on_the_fleet_has_its_claim() -> None:
    stage, view = made(9)
    for name in view.servers:
        stage.machine(name).reset()
    other = next(name for name in stage.world.machines if name not in view.servers)
    stage.machine(other).powered = False
    stage.open()
    reading = stage.site.read_pool(view)
    assert reading.view == view
    assert f"Not reached: {other}" in reading.warnings[0]
    stage.mark(other, lost=True)
    assert stage.site.read_pool(view).view is None


def test_a_shrink_is_not_forgotten_when_the_next_attempt_fails() -> None:
    stage, view = made(12)
    kill(stage, view, SMALLER)
    state = failed(stage, read(stage, view), SMALLER, SPEC, fails(act.Drain))
    assert state.cores == SPEC.cores  # nothing is half done: it is what it was before
    assert stage.plan(state, SMALLER, SPEC).leaving
    settled(stage, stage.become(state, SMALLER), SMALLER)


def test_a_plan_beside_an_apply_says_that_one_may_be_at_work_whose_and_since_when() -> None:
    stage, view = made()
    warnings: list[str] = []

    def look(action: act.Join) -> None:
        site = Site(stage.site.config, connect=lambda _: stage.world)
        (text,) = site.read_pool(view).warnings
        claim = stage.machine(action.server).claim
        assert claim is not None
        assert f"the last claim is {claim.owner}'s, of {claim.since}" in text
        warnings.append(text)

    with stage.faults(Fault(act.Join, look)):
        stage.become(view, BIGGER)
    assert warnings
    assert "An apply may be running now" in warnings[0]
    assert "rpool watch batch shows it." in warnings[0]


def test_what_was_carried_out_last_is_what_an_import_shows() -> None:
    stage, view = made(12)
    kill(stage, view, SMALLER)
    imported = stage.site.find_pool("batch").view
    assert (imported.condition, imported.cores) == (Condition.INCOMPLETE, SPEC.cores)
    wanted = record_of(stage, view).wanted
    assert wanted is not None
    assert wanted.cores == SMALLER.cores


NO_METALLB = replace(SPEC, metallb_pools={})
OTHER_ADDRESSES = replace(SPEC, metallb_pools={"default": ("10.0.1.220-10.0.1.250",)})


@pytest.mark.parametrize(
    ("before", "wanted"), [(SPEC, OTHER_ADDRESSES), (SPEC, NO_METALLB), (NO_METALLB, SPEC)]
)
@pytest.mark.parametrize("then", ["the same", "as before"])
def test_metallb_is_as_asked_for_after_a_kill_and_a_stop(
    before: PoolSpec, wanted: PoolSpec, then: str
) -> None:
    stage = Stage(9)
    view = stage.site.create_pool(before, stage.attempt())
    touched = (act.ApplyMetalLB, act.ConfigureMetalLB, act.RemoveMetalLB)
    kill(stage, view, wanted, before, touched)
    stop = threading.Event()
    stop.set()
    state = read(stage, view)
    target = stage.plan(state, wanted, before)
    with pytest.raises(RpoolError, match="stopped on request"):
        stage.site.change_pool(state, wanted, target.roles, stage.attempt(stop=stop))
    asked = wanted if then == "the same" else before
    after = stage.become(read(stage, state), asked, before)
    settled(stage, after, asked)
    cluster = stage.machine(with_role(after, Role.CONTROL_PLANE)[0]).cluster
    assert cluster is not None
    assert cluster.metallb == bool(asked.metallb_pools)
    assert cluster.pools == asked.metallb_pools


def test_who_was_reset_stays_half_out_while_it_is_out_of_reach() -> None:
    stage = Stage(14)
    big = replace(SPEC, cores=32, memory_gib=64)
    view = stage.site.create_pool(big, stage.attempt())
    leaving, _ = sorted(stage.plan(view, SPEC, big).leaving)
    state = failed(stage, view, SPEC, big, fails(act.DeleteNode))
    stage.machine(leaving).powered = False
    state = failed(stage, state, SPEC, big)
    stage.machine(leaving).powered = True
    stage.machine(leaving).claim = FOREIGN
    target = stage.plan(read(stage, state), big, big)
    assert leaving in target.leaving
    assert leaving not in target.roles


def test_who_has_not_joined_yet_stays_half_in_while_it_is_out_of_reach() -> None:
    stage, view = made(14)
    (half_in,) = stage.plan(view, BIGGER, SPEC).joining
    state = failed(stage, view, BIGGER, SPEC, fails(act.Join))
    stage.machine(half_in).powered = False
    state = failed(stage, state, replace(SPEC, cores=32, memory_gib=64))
    stage.machine(half_in).powered = True
    assert half_in in stage.plan(read(stage, state), SPEC, SPEC).leaving


@pytest.mark.parametrize("kind", [act.ApplyNetwork, act.ApplyMetalLB])
def test_a_create_that_was_cut_off_is_made_whole_by_the_next_change(kind: type[Action]) -> None:
    stage = Stage(12)
    with stage.faults(fails(kind)), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert caught.value.view is not None
    state = read(stage, caught.value.view)
    kill(stage, state, BIGGER)
    after = stage.become(read(stage, state), BIGGER)
    settled(stage, after, BIGGER)
    nodes = stage.world.observe(with_role(after, Role.CONTROL_PLANE)[0]).nodes
    assert all(node.ready for node in nodes.values())


def test_a_plan_that_took_a_server_for_another_role_is_stale() -> None:
    stage = Stage(9)
    view = stage.site.create_pool(ONE, stage.attempt())
    more = stage.become(view, SPEC, ONE)
    new = (set(with_role(more, Role.CONTROL_PLANE)) - set(view.servers)).pop()
    roles = {name: server.role for name, server in view.servers.items()} | {new: Role.WORKER}
    roles |= {name: server.role for name, server in more.servers.items() if name != new}
    with pytest.raises(StalePlan, match=f"{new} got another role"):
        stage.site.change_pool(view, BIGGER, roles, stage.attempt())


def test_a_member_that_another_pool_took_is_replaced_by_the_next_plan() -> None:
    stage, view = made(12)
    lost = with_role(view, Role.WORKER)[0]
    cluster = stage.machine(with_role(view, Role.CONTROL_PLANE)[0]).cluster
    assert cluster is not None
    stage.machine(lost).reset()
    del cluster.nodes[lost]
    stage.machine(lost).claim = FOREIGN
    assert lost not in read(stage, view).servers
    after = stage.become(view, SPEC)
    assert stage.machine(lost).claim == FOREIGN
    stage.machine(lost).claim = None
    settled(stage, after, SPEC)


def pinned(stage: Stage, view: PoolView) -> ServerName:
    spare = next(name for name in stage.world.machines if name not in view.servers)
    stage.mark(spare, reserved=True)
    request = NodeRequest(view.uid, spare, NodeSpec({"a": "b"}))
    stage.site.pin_node(request, stage.attempt())
    return spare


def test_a_record_that_somebody_deleted_is_made_anew_from_the_claims() -> None:
    stage, view = made(12)
    extra = pinned(stage, view)
    cluster = stage.machine(with_role(view, Role.CONTROL_PLANE)[0]).cluster
    assert cluster is not None
    generation = record_of(stage, view).generation
    cluster.record = None
    stage.open()
    after = stage.become(view, SPEC)
    assert set(after.servers) == set(view.servers)
    record = record_of(stage, view)
    assert (record.is_settled, set(record.pinned)) == (True, {extra})
    assert record.generation > generation
    node = stage.site.read_node(view.uid, extra)
    assert (node.spec, node.unreachable) == (NodeSpec(), False)


def test_a_record_is_not_made_anew_while_a_node_could_be_forgotten() -> None:
    stage, view = made(12)
    extra = pinned(stage, view)
    cluster = stage.machine(with_role(view, Role.CONTROL_PLANE)[0]).cluster
    assert cluster is not None
    cluster.record = None
    stage.machine(extra).powered = False
    stage.open()
    with pytest.raises(Refused, match=f"the owner of {extra} is unknown"):
        stage.become(view, SPEC)
    assert cluster.record is None


@pytest.mark.threads
def test_who_finds_only_the_new_control_plane_finds_the_lock_there_too() -> None:
    """The only control plane is replaced; a worker's drain goes on for long after that."""
    stage = Stage(12)
    view = stage.site.create_pool(ONE, stage.attempt())
    (former,) = with_role(view, Role.CONTROL_PLANE)
    small = replace(ONE, cores=8, memory_gib=16)
    extra = next(name for name in sorted(stage.world.machines) if name not in view.servers)
    fleet = stage.site.config.fleet.servers
    marked = {
        former: replace(fleet[former], retire=True),
        extra: replace(fleet[extra], reserved=True),
    }
    stage.open(Fleet({**fleet, **marked}))
    roles = {name: server.role for name, server in view.servers.items()}
    target = stage.site.plan_pool(
        small, Current(view.uid, Size.of(ONE), roles), stage.site.read_pool(view).offer
    )
    moved, asked = threading.Event(), threading.Event()
    slow = Fault(act.Drain, lambda _: asked.wait(60), where=lambda drain: drain.nodes != (former,))

    def lose_the_former(_: act.DeleteNode) -> None:
        stage.machine(former).powered = False
        moved.set()

    over = Fault(
        act.DeleteNode, lose_the_former, AFTER, where=lambda deletion: deletion.node == former
    )
    done: list[PoolView] = []
    changing = threading.Thread(
        target=lambda: done.append(
            stage.site.change_pool(view, small, target.roles, stage.attempt())
        )
    )
    with stage.faults(slow, over):
        changing.start()
        try:
            assert moved.wait(60)
            other = Site(stage.site.config, connect=lambda _: stage.faulty)
            with pytest.raises(Refused, match="is locked on"):
                other.pin_node(NodeRequest(view.uid, extra, NodeSpec()), stage.attempt())
        finally:
            asked.set()
            changing.join()
    assert done[0].condition is Condition.SETTLED
    other.pin_node(NodeRequest(view.uid, extra, NodeSpec()), stage.attempt())


def overtaking(cluster: Cluster, kind: type | tuple[type, ...]) -> tuple[Fault, Record]:
    """A fault that writes another operation's record before each action of a kind; that record."""
    assert cluster.record is not None
    others = replace(cluster.record, generation=7, change="5ca1ab1e")

    def write(_: Action) -> None:
        cluster.record = others

    return Fault(kind, write), others


@pytest.mark.parametrize("kind", [act.TakeClaim, act.Prepare, act.SetPhase])
def test_the_record_of_whoever_was_faster_stays(kind: type[Action]) -> None:
    """A lock was lost for long enough, and another operation has begun: its record stays."""
    stage, view = made(12)
    target = stage.plan(view, BIGGER, SPEC)
    fault, others = overtaking(stage.cluster(view), kind)
    with (
        stage.faults(fault),
        pytest.raises(PoolIncomplete, match="another operation works on the cluster"),
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert stage.cluster(view).record == others


def test_who_comes_second_begins_nothing() -> None:
    stage, view = made(12)
    target = stage.plan(view, BIGGER, SPEC)
    fault, others = overtaking(stage.cluster(view), ACTIONS)
    with (
        stage.faults(fault),
        pytest.raises(Refused, match="another operation works on the cluster"),
    ):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert stage.cluster(view).record == others
    assert stage.claimed() == set(view.servers)


def test_a_create_that_was_killed_after_its_record_is_imported_and_made_whole() -> None:
    """The claim of its first control plane may not say yet that it is a member."""
    stage = Stage(12)
    no_phase = replace(fails(act.SetPhase), sure=False)
    with stage.faults(no_phase), killed(stage, act.WriteRecord):
        stage.site.create_pool(SPEC, stage.attempt())
    imported = stage.site.find_pool("batch").view
    assert imported.condition is Condition.INCOMPLETE
    settled(stage, stage.become(imported, SPEC), SPEC)
