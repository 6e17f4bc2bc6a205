"""Reading and destroying a cluster, on modelled servers that keep the real rules."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from worlds.fault import AFTER, Fault, Probe
from worlds.stage import FOREIGN, SPEC, Stage, made, servers, with_role

from rpool.api import NodeRequest, PoolIncomplete, Site
from rpool.errors import CommandFailed, Refused, TimedOut, Unreachable
from rpool.model import action as act
from rpool.model.claim import Claim
from rpool.model.pool import NodeSpec
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import Condition


def test_a_read_after_a_create_shows_the_same_pool() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert stage.site.read_pool(view).view == view


def test_a_destroyed_pool_leaves_all_servers_spare() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.site.destroy_pool(view, stage.attempt())
    assert all(stage.world.probe(name).is_spare for name in stage.world.machines)
    assert stage.site.read_pool(view).view is None


def test_what_an_incomplete_create_left_can_be_destroyed() -> None:
    stage = Stage()
    fault = Fault(act.Prepare, CommandFailed("no package kubeadm 1.36.3"))
    with stage.faults(fault), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert caught.value.view is not None
    stage.site.destroy_pool(caught.value.view, stage.attempt())
    assert stage.claimed() == set()


def test_a_destroy_without_one_server_keeps_just_that_one() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    dead = next(n for n, s in view.servers.items() if s.role is Role.WORKER)
    stage.machine(dead).powered = False
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.destroy_pool(view, stage.attempt())
    assert isinstance(caught.value.cause, Unreachable)
    assert caught.value.view is not None
    assert set(caught.value.view.servers) == {dead} == stage.claimed()


@pytest.mark.parametrize("foreign", [FOREIGN, replace(FOREIGN, pool=SPEC.name)])
def test_a_destroy_never_touches_a_server_that_another_pool_has_meanwhile(foreign: Claim) -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    taken = next(n for n, s in view.servers.items() if s.role is Role.WORKER)
    stage.machine(taken).claim = foreign
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.machine(taken).claim == foreign
    assert stage.machine(taken).cluster is not None


def test_an_unreachable_pool_is_shown_as_before_with_a_warning() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    for machine in stage.world.machines.values():
        machine.powered = False
    reading = stage.site.read_pool(view)
    assert reading.view == replace(view, condition=Condition.UNREACHABLE)
    assert "Unreachable by SSH" in reading.warnings[0]


def test_a_read_of_an_incomplete_pool_forgets_no_server() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    extra = replace(view.servers[next(iter(view.servers))])
    incomplete = replace(
        view, condition=Condition.INCOMPLETE, servers={**view.servers, "r9u99": extra}
    )
    (control_plane,) = [n for n, s in view.servers.items() if s.role is Role.CONTROL_PLANE][:1]
    cluster = stage.machine(control_plane).cluster
    assert cluster is not None
    assert cluster.record is not None
    settled = stage.site.read_pool(incomplete).view
    assert settled == view  # somebody else has finished it
    cluster.record = replace(cluster.record, settled=None, wanted=SPEC)
    refreshed = stage.site.read_pool(incomplete).view
    assert refreshed is not None
    assert "r9u99" in refreshed.servers
    assert refreshed.condition is Condition.INCOMPLETE


def test_a_drain_that_fails_is_a_warning_once_all_servers_are_back() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    with stage.faults(Fault(act.Drain, TimedOut("draining took too long"))):
        warnings = stage.site.destroy_pool(view, stage.attempt())
    assert warnings == ("draining took too long",)
    assert stage.claimed() == set()


def test_a_server_marked_lost_is_let_go_by_a_destroy() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    dead = next(n for n, s in view.servers.items() if s.role is Role.WORKER)
    stage.machine(dead).powered = False
    fleet = servers().servers
    marked = Fleet({**fleet, dead: replace(fleet[dead], lost=True)})
    site = Site(SiteConfig(marked, Ssh(Secret("key"))), connect=lambda _: stage.faulty)
    (warning,) = site.destroy_pool(view, stage.attempt())
    assert dead in warning
    assert stage.claimed() == {dead}


def test_a_member_that_refuses_us_does_not_keep_the_others_from_being_given_back() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    odd = next(n for n, s in view.servers.items() if s.role is Role.WORKER)
    refuses = Refused(f"{odd} does not have the host key that the fleet declares")
    with (
        stage.faults(Fault(Probe, refuses, servers=odd)),
        pytest.raises(PoolIncomplete) as caught,
    ):
        stage.site.destroy_pool(view, stage.attempt())
    assert "host key" in caught.value.detail
    assert stage.claimed() == {odd}


def test_a_destroy_gives_back_what_joined_behind_its_back() -> None:
    stage = Stage(9)
    view = stage.site.create_pool(SPEC, stage.attempt())
    bigger = replace(SPEC, cores=24, memory_gib=48)
    stage.become(view, bigger)
    stage.site.destroy_pool(view, stage.attempt())  # by the state from before
    assert stage.claimed() == set()


def test_a_destroy_without_an_api_looks_for_the_pools_claims_itself() -> None:
    stage = Stage(12)
    stage.mark("r3u08", reserved=True)
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.become(view, replace(SPEC, cores=24, memory_gib=48))
    stage.site.pin_node(NodeRequest(view.uid, "r3u08", NodeSpec()), stage.attempt())
    for name in with_role(view, Role.CONTROL_PLANE):
        stage.machine(name).stepped_down = True
    stage.site.destroy_pool(view, stage.attempt())  # by the state from before
    assert stage.claimed() == set()


def test_a_destroy_waits_for_no_lock_that_another_operation_holds() -> None:
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    _, second, third = with_role(view, Role.CONTROL_PLANE)
    with (
        stage.world.lock(second, view.uid),
        stage.world.lock(third, view.uid),
        pytest.raises(Refused, match="locked"),
    ):
        stage.site.destroy_pool(view, stage.attempt())
    assert stage.claimed() == set(view.servers)


@pytest.mark.parametrize("kind", [act.WriteRecord, act.Drain])
def test_a_destroy_that_was_stopped_before_any_reset_leaves_a_pool_that_the_next_apply_mends(
    kind: type[act.Action],
) -> None:
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    stop = threading.Event()
    with (
        stage.faults(Fault(kind, lambda _: stop.set(), AFTER)),
        pytest.raises(PoolIncomplete, match="stopped on request"),
    ):
        stage.site.destroy_pool(view, stage.attempt(stop=stop))
    stage.open()
    kept = stage.site.read_pool(view).view
    assert kept is not None
    assert kept.condition is Condition.INCOMPLETE
    after = stage.become(kept, SPEC)
    assert after.condition is Condition.SETTLED
    assert after.servers == view.servers
    cluster = stage.machine(view.control_planes[0]).cluster
    assert cluster is not None
    assert not cluster.cordoned


def test_a_destroy_whose_record_is_refused_stops() -> None:
    """Another operation has written its record just before ours is written."""
    stage, view = made(7)
    cluster = stage.cluster(view)

    def overtake(_: act.WriteRecord) -> None:
        assert cluster.record is not None
        cluster.record = replace(cluster.record, change="another's")

    with (
        stage.faults(Fault(act.WriteRecord, overtake)),
        pytest.raises(Refused, match="another operation works on the cluster"),
    ):
        stage.site.destroy_pool(view, stage.attempt())
    assert stage.acted == []
    assert stage.site.read_pool(view).view == view


def test_a_destroy_whose_record_cannot_be_written_goes_on() -> None:
    """Its etcd may be full, or without quorum for writing: it is given back all the same."""
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    with stage.faults(Fault(act.WriteRecord, Unreachable("no space"))):
        assert stage.site.destroy_pool(view, stage.attempt()) == ("no space",)
    assert stage.claimed() == set()
