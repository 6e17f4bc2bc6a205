"""A settled cluster is compared with its servers: what does not agree makes it incomplete, and the
next apply makes it whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from worlds.expect import kinds, settled
from worlds.fault import Fault, Probe
from worlds.stage import BIGGER, FOREIGN, SMALLER, SPEC, Stage, made, with_role

from rpool.errors import Refused, RpoolError
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.server import Role
from rpool.model.view import Condition, PoolView


def reinstalled(stage: Stage, view: PoolView) -> None:
    """A worker without a mark; its Node is NotReady."""
    stage.machine(with_role(view, Role.WORKER)[0]).reset()


def taken(stage: Stage, view: PoolView) -> None:
    """The same, and another cluster has claimed it since."""
    machine = stage.machine(with_role(view, Role.WORKER)[0])
    machine.reset()
    machine.claim = replace(FOREIGN, server=machine.server.name)


def half_out(stage: Stage, view: PoolView) -> None:
    machine = stage.machine(with_role(view, Role.WORKER)[0])
    assert machine.claim is not None
    machine.claim = replace(machine.claim, phase=Phase.LEAVING)


def node_deleted(stage: Stage, view: PoolView) -> None:
    stage.cluster(view).delete_node(with_role(view, Role.WORKER)[0])


def cordoned_by_us(stage: Stage, view: PoolView) -> None:
    stage.cluster(view).cordoned.add(with_role(view, Role.WORKER)[0])


def out_of_etcd(stage: Stage, view: PoolView) -> None:
    """A control plane was taken out of etcd while it was dead, and has come back."""
    del stage.cluster(view).members[view.control_planes[-1]]


def token_left(stage: Stage, view: PoolView) -> None:
    stage.cluster(view).tokens.add("abcdef.0123456789abcdef")


HARMS = [reinstalled, taken, half_out, node_deleted, cordoned_by_us, out_of_etcd, token_left]


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_not_as_recorded_shows_and_is_mended(
    harm: Callable[[Stage, PoolView], None],
) -> None:
    stage, view = made(12)
    harm(stage, view)
    refreshed = stage.read(view)
    assert refreshed.condition is Condition.INCOMPLETE
    after = stage.become(refreshed, SPEC)
    for machine in stage.world.machines.values():
        if machine.claim is not None and machine.claim.uid == FOREIGN.uid:
            machine.claim = None  # so that `settled` can count the claims
    settled(stage, after, SPEC)


def test_a_silent_member_is_no_difference() -> None:
    stage, view = made(12)
    stage.machine(with_role(view, Role.WORKER)[0]).powered = False
    assert stage.read(view) == view


def test_a_lost_control_plane_that_returns_pushes_nobody_out() -> None:
    """Its replacement was in, and the last write was lost."""
    stage, view = made(14)
    ghost = view.control_planes[0]
    stage.machine(ghost).powered = False
    stage.mark(ghost, lost=True)
    after = stage.become(view, SPEC)
    new = set(after.control_planes) - set(view.control_planes)
    stage.machine(ghost).give_power()
    stage.mark(ghost, lost=False)
    refreshed = stage.read(after)
    assert refreshed.condition is Condition.INCOMPLETE
    assert ghost not in refreshed.servers
    stage.acted.clear()
    whole = stage.become(refreshed, SPEC)
    assert new <= set(whole.control_planes)
    assert [action.server for action in stage.acted if isinstance(action, act.Reset)] == [ghost]
    settled(stage, whole, SPEC)


@pytest.mark.parametrize("before", [SMALLER, BIGGER], ids=["after a growth", "after a shrink"])
def test_an_older_record_that_was_put_back_forgets_nobody(before: object) -> None:
    stage = Stage(14)
    first = SMALLER if before is SMALLER else BIGGER
    view = stage.site.create_pool(first, stage.attempt())
    older = stage.cluster(view).record
    now = stage.become(view, SPEC, first)
    stage.cluster(view).record = older
    refreshed = stage.read(now)
    assert stage.claimed() <= set(refreshed.servers)
    after = stage.become(refreshed, SPEC, first)
    assert stage.claimed() == set(after.servers)
    settled(stage, after, SPEC)


def test_a_member_whose_claim_somebody_deleted_is_an_error_that_names_it() -> None:
    stage, view = made(12)
    worker = with_role(view, Role.WORKER)[0]
    stage.machine(worker).claim = None
    stage.open()
    reading = stage.site.read_pool(view)
    assert reading.view is not None
    assert reading.view.condition is Condition.INCOMPLETE
    assert f"{worker} runs in cluster batch, but its claim" in reading.warnings[0]
    stage.acted.clear()
    with pytest.raises(RpoolError, match=f"{worker} runs in cluster batch, but its claim"):
        stage.become(reading.view, SPEC)
    assert kinds(stage.acted, act.Reset, act.Drain, act.DeleteNode) == []


def test_a_member_of_etcd_that_is_nobody_s_goes_if_dead_and_is_an_error_if_it_answers() -> None:
    stage, view = made(12)
    spare = next(name for name in stage.world.machines if name not in view.servers)
    stage.cluster(view).members[spare] = "beef"
    after = stage.become(view, BIGGER)
    settled(stage, after, BIGGER)
    stage.cluster(view).members["stranger"] = "cafe"

    def alive(action: act.RemoveEtcdMember) -> None:
        raise AssertionError(action)

    cluster, role = stage.cluster(view), Role.CONTROL_PLANE
    machine = replace(stage.machine(spare), cluster=cluster, role=role)
    stage.world.machines["stranger"] = machine
    with (
        stage.faults(Fault(act.RemoveEtcdMember, alive, sure=False)),
        pytest.raises(Refused, match="has a member stranger that answers"),
    ):
        stage.become(after, BIGGER, BIGGER)


@pytest.mark.parametrize("workers", [2, 97])
def test_a_read_of_a_large_cluster_asks_hardly_more_servers(workers: int) -> None:
    stage = Stage(workers + 6)
    spec = replace(SPEC, cores=8 * workers, memory_gib=16 * workers)
    view = stage.site.create_pool(spec, stage.attempt())
    stage.open()
    with stage.faults(Fault(Probe, lambda _: None)) as (probes,):
        stage.site.read_pool(view)
    own = [probe for probe in probes if probe.server in view.servers]
    assert len(own) <= 3 + 16
