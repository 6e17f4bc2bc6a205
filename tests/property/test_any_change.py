"""Changes of clusters: what holds for any of them, and wherever one is cut off."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st
from worlds.fault import ACTIONS, Fault
from worlds.stage import SPEC, Stage

from rpool.api import PoolIncomplete
from rpool.decide.target import Current, Offer, Size, target
from rpool.errors import DoesNotFit, RpoolError, Unreachable
from rpool.model.claim import Phase
from rpool.model.pool import Networking, PoolSpec, Selector, Tolerance
from rpool.model.server import Role
from rpool.model.view import Condition, PoolView

SIZES = st.integers(min_value=1, max_value=5).map(lambda n: (8 * n, 16 * n))
ZONES = st.sets(st.sampled_from(["rack1", "rack2", "rack3"]), min_size=1).map(frozenset)


@st.composite
def specs(draw: st.DrawFn) -> PoolSpec:
    """Requests that fifteen servers mostly hold."""
    cores, memory = draw(SIZES)
    return replace(
        SPEC,
        cores=cores,
        memory_gib=memory,
        control_plane=replace(SPEC.control_plane, servers=draw(st.sampled_from([1, 3, 5]))),
        selector=Selector(draw(ZONES)) if draw(st.booleans()) else Selector(),
        tolerate=draw(st.sampled_from([Tolerance(), Tolerance(servers=1)])),
    )


def lost_after(actions: int) -> Fault:
    """The operator's machine loses contact after so many actions, for good."""
    return Fault(ACTIONS, Unreachable("contact was lost"), first=actions + 1, sure=False)


def created(stage: Stage, spec: PoolSpec) -> PoolView | None:
    try:
        return stage.site.create_pool(spec, stage.attempt())
    except DoesNotFit:
        return None


@settings(max_examples=150, deadline=None)
@given(
    was=specs(),
    wanted=specs(),
    other=specs(),
    cut=st.integers(min_value=0, max_value=60),
    next_wish=st.sampled_from(["the same", "as before", "another"]),
    killed=st.booleans(),
)
def test_a_change_cut_off_anywhere_is_finished_or_taken_back_by_the_next_one(
    was: PoolSpec, wanted: PoolSpec, other: PoolSpec, cut: int, next_wish: str, killed: bool
) -> None:
    """Terraform's state gets the outcome, unless the plugin was killed: then it is as before."""
    stage = Stage(15)
    view = created(stage, was)
    if view is None:
        return
    try:
        planned = stage.plan(view, wanted, was)
    except DoesNotFit:
        return
    state = view
    with stage.faults(lost_after(cut)) as (struck,):
        try:
            state = stage.site.change_pool(view, wanted, planned.roles, stage.attempt())
        except PoolIncomplete as error:
            assert error.view is not None
            state = error.view
        except RpoolError:
            pass
    event("cut off" if struck else "over before")
    if killed:
        state = view
    state = stage.read(state)
    assert stage.claimed() <= set(state.servers), "a server is claimed by no cluster's state"
    # What was carried out is `wanted` in the state only once all of it is done.
    done = state.condition is Condition.SETTLED and state.cores == wanted.cores
    current = wanted if done else was
    following = {"the same": wanted, "as before": was, "another": other}[next_wish]
    try:
        after = stage.become(state, following, current)
    except DoesNotFit:
        return
    assert after.condition is Condition.SETTLED
    assert (after.cores, after.memory_gib) == (following.cores, following.memory_gib)
    settle(stage, after, following)


def settle(stage: Stage, view: PoolView, spec: PoolSpec) -> None:
    """The cluster and the servers are what the state says, and a plan has nothing left to do."""
    assert stage.claimed() == set(view.servers)
    (first, *_) = [n for n, server in view.servers.items() if server.role is Role.CONTROL_PLANE]
    cluster = stage.machine(first).cluster
    assert cluster is not None
    assert set(cluster.nodes) == set(view.servers)
    assert not cluster.cordoned
    assert cluster.pools == spec.metallb_pools
    for name in view.servers:
        claim = stage.machine(name).claim
        assert claim is not None
        assert claim.phase is Phase.MEMBER
    again = stage.plan(view, spec, spec)
    assert (again.joining, again.leaving) == (frozenset(), frozenset())


@settings(max_examples=150, deadline=None)
@given(was=specs(), wanted=specs())
def test_what_holds_for_any_plan(was: PoolSpec, wanted: PoolSpec) -> None:
    stage = Stage(15)
    fleet = stage.site.config.fleet
    try:
        before = stage.site.advise(was).likely
        current = Current("0badcafe", Size.of(was), before)
        planned = target(wanted, current, fleet, Offer())
    except DoesNotFit:
        return
    assert planned == target(wanted, current, fleet, Offer())
    assert planned.joining.isdisjoint(before)
    assert planned.leaving <= set(before)
    assert set(planned.roles) == (set(before) | planned.joining) - planned.leaving
    control_planes = [n for n, role in planned.roles.items() if role is Role.CONTROL_PLANE]
    assert len(control_planes) == wanted.control_plane.servers
    workers = [fleet.servers[n] for n, role in planned.roles.items() if role is Role.WORKER]
    for lost in workers if wanted.tolerate.servers else [None]:
        rest = [server for server in workers if server is not lost]
        assert sum(server.cores for server in rest) >= wanted.cores
        assert sum(server.memory_gib for server in rest) >= wanted.memory_gib
    after = Current("0badcafe", Size.of(wanted), planned.roles)
    again = target(wanted, after, fleet, Offer())
    assert (again.joining, again.leaving) == (frozenset(), frozenset())
    same_place = wanted.selector == was.selector
    fewer = wanted.control_plane.servers < was.control_plane.servers
    if same_place and not fewer and not Size.of(wanted).is_lower_than(Size.of(was)):
        assert not planned.leaving, "growing moved a server out"


def test_growing_by_one_takes_the_same_actions_whatever_the_size() -> None:
    assert grown_by_one(497) == grown_by_one(2)


def grown_by_one(workers: int) -> list[str]:
    stage = Stage(workers + 6)
    network = Networking(pod_cidr="10.128.0.0/14")  # a /24 for each of 500 nodes
    was = replace(SPEC, cores=8 * workers, memory_gib=16 * workers, networking=network)
    view = stage.site.create_pool(was, stage.attempt())
    assert len(view.servers) == workers + 3
    stage.acted.clear()
    wanted = replace(was, cores=was.cores + 8, memory_gib=was.memory_gib + 16)
    stage.become(view, wanted, was)
    return sorted(type(action).__name__ for action in stage.acted)
