"""Changes after a change that was cut off, overtaken or reverted, and pools that others have hurt:
no server is lost, none is taken that should not be, and the next apply gets there.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from worlds.expect import settled
from worlds.fault import AFTER, Fault
from worlds.stage import BIGGER, FIVE, FOREIGN, SMALLER, SPEC, Stage, made, with_role

from rpool.api import Current, Offer, PoolIncomplete, Size
from rpool.certificates import new_ca
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
from rpool.model.pool import PoolSpec
from rpool.model.server import Role, ServerName
from rpool.model.view import PoolView
from rpool.simulate.machine import Cluster


def cut_off(stage: Stage, view: PoolView, wanted: PoolSpec, fault: Fault) -> PoolView:
    """Makes a change that fails by `fault`. Returns the cluster as read afterwards."""
    target = stage.plan(view, wanted, SPEC)
    with stage.faults(fault), pytest.raises(PoolIncomplete) as caught:
        stage.site.change_pool(view, wanted, target.roles, stage.attempt())
    assert caught.value.view is not None
    return read(stage, caught.value.view)


def read(stage: Stage, view: PoolView) -> PoolView:
    stage.open()
    fresh = stage.site.read_pool(view).view
    assert fresh is not None
    return fresh


def without_knowledge(stage: Stage, view: PoolView) -> dict[ServerName, Role]:
    """The roles that a plan without a refresh would want, for the size from before."""
    stage.open()
    roles = {name: server.role for name, server in view.servers.items()}
    current = Current(view.uid, Size.of(SPEC), roles)
    return dict(stage.site.plan_pool(SPEC, current, Offer()).roles)


@pytest.mark.parametrize("kind", [act.Reset, act.DeleteNode])
def test_who_is_half_out_is_not_taken_back_by_a_plan_that_does_not_know(
    kind: type[Action],
) -> None:
    stage, view = made(12)
    partial = cut_off(stage, view, SMALLER, Fault(kind, CommandFailed("busy")))
    roles = without_knowledge(stage, partial)
    with pytest.raises(StalePlan, match="is leaving this cluster"):
        stage.site.change_pool(partial, SPEC, roles, stage.attempt())
    settled(stage, stage.become(partial, SMALLER), SMALLER)


def test_a_drained_server_that_may_stay_after_all_is_uncordoned() -> None:
    stage, view = made(12)
    target = stage.plan(view, SMALLER, SPEC)
    stop = threading.Event()
    with (
        stage.faults(Fault(act.Drain, lambda _: stop.set(), AFTER)),
        pytest.raises(PoolIncomplete) as caught,
    ):
        stage.site.change_pool(view, SMALLER, target.roles, stage.attempt(stop=stop))
    assert caught.value.view is not None
    after = stage.become(read(stage, caught.value.view), SPEC)
    assert target.leaving <= set(after.servers)
    settled(stage, after, SPEC)


def test_who_may_be_on_the_way_out_is_looked_at_before_it_may_stay() -> None:
    stage, view = made(12)
    (leaving,) = stage.plan(view, SMALLER, SPEC).leaving
    fault = Fault(act.SetPhase, OutcomeUnknown("contact broke"), AFTER, servers=leaving)
    after = stage.become(cut_off(stage, view, SMALLER, fault), SPEC)
    assert leaving not in after.servers
    settled(stage, after, SPEC)


def test_a_reverted_growth_gives_the_half_joined_server_back() -> None:
    stage, view = made(12)
    (joining,) = stage.plan(view, BIGGER, SPEC).joining
    fault = Fault(act.Join, CommandFailed("no"), servers=joining)
    after = stage.become(cut_off(stage, view, BIGGER, fault), SPEC)
    assert set(after.servers) == set(view.servers)
    settled(stage, after, SPEC)


def test_a_reverted_growth_of_the_control_plane_lets_unprepared_servers_go() -> None:
    stage, view = made(12)
    fault = Fault(act.Prepare, CommandFailed("no package"))
    after = stage.become(cut_off(stage, view, FIVE, fault), SPEC)
    assert set(after.servers) == set(view.servers)
    settled(stage, after, SPEC)


def test_reverted_address_pools_come_back() -> None:
    stage, view = made(12)
    fault = Fault(act.Drain, CommandFailed("a budget"))
    partial = cut_off(stage, view, replace(SMALLER, metallb_pools={}), fault)
    after = stage.become(partial, SPEC)
    cluster = stage.machine(with_role(after, Role.CONTROL_PLANE)[0]).cluster
    assert cluster is not None
    assert cluster.pools == SPEC.metallb_pools
    settled(stage, after, SPEC)


def test_a_server_on_its_way_in_that_another_pool_took_is_forgotten() -> None:
    stage, view = made(12)
    (joining,) = stage.plan(view, BIGGER, SPEC).joining
    partial = cut_off(stage, view, BIGGER, Fault(act.Join, CommandFailed("no"), servers=joining))
    stage.machine(joining).reset()
    stage.machine(joining).claim = FOREIGN
    after = stage.become(partial, BIGGER)
    assert joining not in after.servers
    assert stage.machine(joining).claim == FOREIGN
    stage.machine(joining).claim = None
    settled(stage, after, BIGGER)


def test_a_server_on_its_way_in_that_died_is_an_error_with_what_to_do() -> None:
    stage, view = made(12)
    (joining,) = stage.plan(view, BIGGER, SPEC).joining
    partial = cut_off(stage, view, BIGGER, Fault(act.Join, CommandFailed("no"), servers=joining))
    stage.machine(joining).powered = False
    with pytest.raises(RpoolError, match="is to join, but cannot be reached") as caught:
        stage.become(partial, BIGGER)
    assert "lost = true" in caught.value.detail
    stage.mark(joining, lost=True)
    after = stage.become(partial, BIGGER)
    stage.machine(joining).claim = None
    settled(stage, after, BIGGER)


def test_a_deleted_node_registers_again() -> None:
    stage, view = made(12)
    cluster = stage.machine(with_role(view, Role.CONTROL_PLANE)[0]).cluster
    assert cluster is not None
    del cluster.nodes[with_role(view, Role.WORKER)[0]]
    settled(stage, stage.become(view, BIGGER), BIGGER)


@pytest.mark.parametrize("mark", ["retire", "lost"])
def test_a_control_plane_that_was_reinstalled_is_replaced(mark: str) -> None:
    stage, view = made(12)
    control_plane = with_role(view, Role.CONTROL_PLANE)[0]
    stage.machine(control_plane).reset()
    stage.mark(control_plane, **{mark: True})
    after = stage.become(view, SPEC)
    assert control_plane not in after.servers
    settled(stage, after, SPEC)


@pytest.mark.parametrize("role", list(Role))
def test_the_dead_go_even_if_another_server_cannot_be_had(role: Role) -> None:
    stage, view = made(14)
    dead = with_role(view, role)[0]
    stage.machine(dead).powered = False
    stage.mark(dead, lost=True)
    target = stage.plan(view, BIGGER, SPEC)
    taken = next(name for name in target.joining if target.roles[name] is Role.WORKER)
    stage.machine(taken).claim = FOREIGN
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert isinstance(caught.value.cause, StalePlan)
    assert caught.value.view is not None
    assert dead not in caught.value.view.servers
    assert len(with_role(caught.value.view, Role.CONTROL_PLANE)) == 3
    for foreign in (dead, taken):  # so that `settled` can count the claims
        stage.machine(foreign).claim = None
    settled(stage, stage.become(caught.value.view, BIGGER), BIGGER)


def test_a_lost_server_that_can_be_reached_is_reset_without_a_drain() -> None:
    stage, view = made(12)
    worker = with_role(view, Role.WORKER)[0]
    stage.mark(worker, lost=True)
    dead = Fault(act.Drain, CommandFailed("its kubelet is dead"), sure=False)
    with stage.faults(dead) as (drains,):
        after = stage.become(view, SPEC)
    assert not drains
    assert worker not in after.servers
    assert stage.world.probe(worker).is_spare
    settled(stage, after, SPEC)


def test_a_lost_server_that_came_back_is_not_let_in_as_it_is() -> None:
    stage, view = made(12)
    control_plane = with_role(view, Role.CONTROL_PLANE)[0]
    stage.machine(control_plane).powered = False
    stage.mark(control_plane, lost=True)
    after = stage.become(view, SPEC)
    stage.machine(control_plane).powered = True
    stage.mark(control_plane, lost=False)
    roles = {name: server.role for name, server in after.servers.items()} | {
        control_plane: Role.WORKER
    }
    with pytest.raises(StalePlan, match="before it was lost; it is reset first"):
        stage.site.change_pool(after, SPEC, roles, stage.attempt())


@pytest.mark.parametrize("others", [0, 2])
def test_the_cluster_of_another_pool_is_never_worked_in(others: int) -> None:
    """A control plane that left has become the first of a cluster that has no record yet."""
    stage, view = made(12)
    control_planes = with_role(view, Role.CONTROL_PLANE)
    foreign = Cluster(new_ca(), "1.36.3")
    foreign.add(control_planes[0], Role.CONTROL_PLANE)
    machine = stage.machine(control_planes[0])
    machine.claim = replace(FOREIGN, role=Role.CONTROL_PLANE)
    machine.cluster = foreign
    for name in control_planes[others + 1 :]:
        stage.machine(name).stepped_down = True  # no API there to compare with
    roles = dict(stage.plan(view, BIGGER, SPEC).roles)
    try:
        stage.site.change_pool(view, BIGGER, roles, stage.attempt())
    except RpoolError as error:
        assert others or isinstance(error, Refused | Unreachable)
    assert foreign.record is None
    assert set(foreign.nodes) == {control_planes[0]}
    assert machine.claim == replace(FOREIGN, role=Role.CONTROL_PLANE)
    assert not [action for action in stage.acted if action.server == control_planes[0]]
