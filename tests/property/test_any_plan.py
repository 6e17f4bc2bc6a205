"""Plans from whatever an operation that was cut off has left: none is a bug, and whatever part of
one is carried out, planning again from what is observed then comes to the same end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_any_change import created, lost_after, specs
from worlds.stage import SMALLER, SPEC, Stage

from rpool.api import PoolIncomplete
from rpool.decide.plan import plan
from rpool.errors import Bug, RpoolError
from rpool.flow.observe import Eye
from rpool.flow.reconcile import at_work
from rpool.flow.session import Held, operation
from rpool.model.desired import Desired
from rpool.model.observed import Observed
from rpool.model.pool import PoolSpec
from rpool.model.server import Role, ServerName
from rpool.model.step import Step
from rpool.model.view import PoolView
from rpool.simulate.machine import Cluster

Choose = Callable[[Sequence[Step]], Sequence[Step]]
Roles = dict[ServerName, Role]


def copied(stage: Stage) -> Stage:
    """The same servers, as they are now, in a world of their own."""
    other = Stage(0)
    other.world.machines = deepcopy(stage.world.machines)
    other.open(stage.site.config.fleet)
    return other


def looked(eye: Eye, desired: Desired, lock: Held | None = None) -> Observed:
    pool = eye.look()
    while lock is not None and lock.cover(eye.members(pool).to_lock):
        pool = eye.look()
    return eye.closer(pool, desired)


def left(stage: Stage, view: PoolView, desired: Desired) -> Sequence[Step]:
    """The steps that are left to do."""
    fleet = stage.site.config.fleet
    pool = looked(Eye(view, fleet, stage.world, desired.spec), desired)
    return plan(desired, pool, operation("ann"), fleet).steps


def carry_out(stage: Stage, view: PoolView, desired: Desired, choose: Choose) -> int:
    """Carry out some of the plan, as an operation that is killed then. Returns how many steps."""
    fleet, world, attempt = stage.site.config.fleet, stage.world, stage.attempt()
    known = view.control_planes
    with at_work(view.uid, view.name, known, fleet, world, attempt) as run:
        eye = Eye(view, fleet, world, desired.spec, lock=run.lock)
        steps = choose(run.plan(desired, looked(eye, desired, run.lock)).steps)
        ran = run.carry_out(steps)
    assert (ran.failed, ran.halted) == ((), None)
    return len(steps)


def in_some_order(steps: Sequence[Step], random: Random) -> list[Step]:
    """The steps in some order, each after those that it waits for."""
    waiting, order = list(steps), list[Step]()
    while waiting:
        done = {step.name for step in order}
        ready = [step for step in waiting if step.needs | step.after <= done]
        order.append(random.choice(ready))
        waiting.remove(order[-1])
    return order


def cluster_of(stage: Stage) -> Cluster:
    clusters = (machine.cluster for machine in stage.world.machines.values() if machine.claim)
    return next(cluster for cluster in clusters if cluster is not None)


def end(stage: Stage) -> object:
    """What there is in the end, without what differs from operation to operation."""
    machines, cluster = stage.world.machines.values(), cluster_of(stage)
    record = cluster.record
    assert record is not None
    claims = {m.server.name: (m.claim.role, m.claim.phase) for m in machines if m.claim}
    inside = (cluster.nodes, set(cluster.members), cluster.cordoned, cluster.tokens, cluster.pools)
    return claims, inside, (record.settled, record.wanted, record.members)


def finished(stage: Stage, view: PoolView, desired: Desired) -> object:
    """The end that the next apply comes to, after which nothing is left."""
    stage.open()
    settled = stage.site.change_pool(view, desired.spec, desired.roles, stage.attempt())
    assert [step.name for step in left(stage, settled, desired)] == []
    return end(stage)


def desired_of(stage: Stage, view: PoolView, wanted: PoolSpec, was: PoolSpec) -> Desired:
    return Desired(view.uid, wanted, stage.plan(view, wanted, was).roles)


def loses_a_node(stage: Stage, view: PoolView, which: int) -> None:
    nodes = sorted(cluster_of(stage).nodes)
    cluster_of(stage).delete_node(nodes[which % len(nodes)])


def is_cordoned(stage: Stage, view: PoolView, which: int) -> None:
    nodes = cluster_of(stage).nodes
    cluster_of(stage).cordoned.add(sorted(nodes)[which % len(nodes)])


def has_a_dead_member_of_etcd(stage: Stage, view: PoolView, which: int) -> None:
    """On a server outside the cluster, where etcd has more than one member to lose quorum with."""
    members, machines = cluster_of(stage).members, stage.world.machines
    others = sorted(machines.keys() - view.servers.keys())
    if len(members) > 1 and others:
        members[others[which % len(others)]] = "dead"


def is_open_to_joiners(stage: Stage, view: PoolView, which: int) -> None:
    cluster_of(stage).tokens.add(f"left{which}")


Trouble = Callable[[Stage, PoolView, int], None]
TROUBLES: list[Trouble] = [
    loses_a_node,
    is_cordoned,
    has_a_dead_member_of_etcd,
    is_open_to_joiners,
]


@settings(max_examples=60, deadline=None)
@given(
    was=specs(),
    other=specs(),
    wanted=specs(),
    cut=st.integers(0, 60),
    loses=st.none() | st.integers(0, 20),
    troubled=st.none() | st.tuples(st.sampled_from(TROUBLES), st.integers(0, 20)),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_any_part_of_a_plan_leads_to_the_same_end(
    was: PoolSpec,
    other: PoolSpec,
    wanted: PoolSpec,
    cut: int,
    loses: int | None,
    troubled: tuple[Trouble, int] | None,
    share: float,
    seed: int,
) -> None:
    stage = Stage(15)
    view = created(stage, was)
    if view is None:
        return
    view = cut_off(stage, view, other, was, cut)
    if loses is not None:
        name = sorted(view.servers)[loses % len(view.servers)]
        stage.mark(name, lost=True)
        stage.machine(name).lose_power()
    if troubled is not None:
        trouble, which = troubled
        trouble(stage, view, which)
    try:
        view = stage.read(view)
        desired = desired_of(stage, view, wanted, was)
        whole = finished(copied(stage), view, desired)
    except Bug:
        raise
    except RpoolError as error:  # no quorum is left, or the fleet does not hold it
        event(f"cannot be: {type(error).__name__}")
        return

    def some(steps: Sequence[Step]) -> Sequence[Step]:
        order = in_some_order(steps, Random(seed))  # noqa: S311 no secret is drawn
        return order[: round(share * len(steps))]

    event(f"steps: {carry_out(stage, view, desired, some) // 10 * 10} or more")
    assert finished(stage, view, desired) == whole


def cut_off(stage: Stage, view: PoolView, spec: PoolSpec, was: PoolSpec, cut: int) -> PoolView:
    """The state after a change that lost contact after so many actions."""
    with stage.faults(lost_after(cut)):
        try:
            roles = stage.plan(view, spec, was).roles
            return stage.site.change_pool(view, spec, roles, stage.attempt())
        except PoolIncomplete as error:
            assert error.view is not None
            return error.view
        except RpoolError:
            return view


def control_planes(count: int, spec: PoolSpec = SPEC) -> PoolSpec:
    return replace(spec, control_plane=replace(spec.control_plane, servers=count))


CHANGES: dict[str, tuple[PoolSpec, PoolSpec, str | None]] = {
    "one control plane becomes three, a worker leaves": (
        control_planes(1),
        control_planes(3, SMALLER),
        None,
    ),
    "three control planes become one, MetalLB goes": (
        SPEC,
        replace(control_planes(1), metallb_pools={}),
        None,
    ),
    "the only control plane is replaced": (control_planes(1), control_planes(1), "retire"),
    "a lost control plane is replaced": (SPEC, SPEC, "lost"),
}


@pytest.mark.parametrize(("was", "wanted", "mark"), CHANGES.values(), ids=CHANGES)
def test_each_prefix_of_a_plan_leads_to_the_same_end(
    was: PoolSpec, wanted: PoolSpec, mark: str | None
) -> None:
    stage = Stage(9)
    view = stage.site.create_pool(was, stage.attempt())
    if mark is not None:
        stage.mark(view.control_planes[0], **{mark: True})
    if mark == "lost":
        stage.machine(view.control_planes[0]).lose_power()
    desired = desired_of(stage, view, wanted, was)
    whole = finished(copied(stage), view, desired)
    count = len(left(stage, view, desired))
    assert count > 5
    for length in range(count + 1):
        copy = copied(stage)
        assert carry_out(copy, view, desired, lambda steps, n=length: steps[:n]) == length  # type: ignore[misc]
        assert finished(copy, view, desired) == whole
