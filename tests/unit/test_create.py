"""Creating a pool, on modelled servers that keep the real rules."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from stage import FOREIGN, SPEC, Stage, servers, workers_of

from rpool.api import Attempt, PoolIncomplete, Site
from rpool.errors import (
    CommandFailed,
    DoesNotFit,
    Interrupted,
    OutcomeUnknown,
    Refused,
    RpoolError,
    Unreachable,
)
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.event import Event, Result
from rpool.model.pool import ControlPlane, Endpoint
from rpool.model.secret import Secret
from rpool.model.seen import PackagesSeen, Probed
from rpool.model.server import Fleet, Role
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import Condition
from rpool.model.world import SessionLock
from rpool.simulate.world import SimulatedWorld


def test_a_create_makes_a_settled_pool_of_the_size_that_was_asked_for() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    roles = [server.role for server in view.servers.values()]
    assert roles.count(Role.CONTROL_PLANE) == 3
    assert (view.allocated_cores, view.allocated_memory_gib) == (16, 32)
    assert view.condition is Condition.SETTLED
    assert {s.zone for s in view.servers.values() if s.role is Role.CONTROL_PLANE} == {
        "rack1",
        "rack2",
        "rack3",
    }
    assert stage.claimed() == set(view.servers)
    assert all(stage.machine(name).claim.phase is Phase.MEMBER for name in view.servers)  # type: ignore[union-attr]


def test_no_token_outlives_a_create() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    clusters = [stage.machine(name).cluster for name in view.servers]
    assert all(cluster is not None and not cluster.tokens for cluster in clusters)


@pytest.mark.parametrize("spoil", ["foreign", "dirty", "dead", "small"])
def test_a_server_that_cannot_be_taken_is_passed_over_and_not_touched(spoil: str) -> None:
    stage = Stage()
    victim = next(iter(stage.site.advise(SPEC).likely))
    machine = stage.machine(victim)
    if spoil == "foreign":
        machine.claim = FOREIGN
    if spoil == "dirty":
        machine.traces = ("/etc/kubernetes/kubelet.conf",)
    if spoil == "dead":
        machine.powered = False
    if spoil == "small":
        machine.server = replace(machine.server, memory_gib=1)
    before = replace(machine)
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert victim not in view.servers
    assert machine == before


def test_too_few_usable_servers_say_why_each_was_passed_over() -> None:
    stage = Stage(5)
    names = list(stage.world.machines)
    stage.machine(names[3]).claim = FOREIGN
    stage.machine(names[4]).traces = ("/etc/kubernetes/kubelet.conf",)
    with pytest.raises(DoesNotFit) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    detail = caught.value.problems[0].detail
    assert f"{names[3]}: claimed by pool other (uid ffffffff, owner eve@desk" in detail
    assert f"{names[4]}: not claimed, but dirty: /etc/kubernetes/kubelet.conf" in detail
    assert stage.world.acted == []


def test_a_used_virtual_ip_is_refused_before_any_claim() -> None:
    stage = Stage()
    other = replace(SPEC, control_plane=ControlPlane(3, Endpoint(vip="10.9.9.9")))
    stage.machine("r1u06").server = replace(stage.machine("r1u06").server, address="10.9.9.9")
    with pytest.raises(Refused) as caught:
        stage.site.create_pool(other, stage.attempt())
    assert "10.9.9.9" in caught.value.detail
    assert stage.world.acted == []


@pytest.mark.parametrize("kind", [act.TakeClaim, act.Prepare, act.Join])
def test_servers_that_fail_are_given_back_and_replaced(kind: type[object]) -> None:
    stage = Stage()
    bad = list(stage.world.machines)[3:5]  # two of the four that can be workers
    for name in bad:
        stage.world.broken[(kind, name)] = CommandFailed(f"{name}: disk on fire")
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert view.condition is Condition.SETTLED
    assert view.allocated_cores == 16
    assert not set(bad) & set(view.servers)
    assert stage.claimed() == set(view.servers)


def test_a_version_that_is_not_offered_is_refused_before_any_claim() -> None:
    stage = Stage()
    with pytest.raises(Refused) as caught:
        stage.site.create_pool(replace(SPEC, kubernetes_version="1.36.9"), stage.attempt())
    assert "no package kubeadm 1.36.9" in caught.value.detail
    assert "of 1.36 there is 1.36.3" in caught.value.detail
    assert stage.claimed() == set()


def test_a_repository_that_servers_cannot_read_is_refused_before_any_claim() -> None:
    stage = Stage()
    stage.world.offered.clear()
    stage.world.unread = "Could not connect to 10.0.0.9:80: no route to host"
    with pytest.raises(Refused) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "cannot read the package repository of 1.36: Could not connect" in caught.value.detail
    assert stage.claimed() == set()


def test_what_is_installed_already_needs_no_repository() -> None:
    stage = Stage()
    stage.world.unread = "Could not connect to 10.0.0.9:80: no route to host"
    assert stage.site.create_pool(SPEC, stage.attempt()).condition is Condition.SETTLED


def test_a_key_that_no_server_accepts_is_one_error_about_the_key() -> None:
    class NoEntry(Unreachable):
        retryable = False

    class Closed(SimulatedWorld):
        def probe(self, server: str) -> Probed:
            raise NoEntry(f"{server} does not let root in")

    world = Closed(servers())
    site = Site(SiteConfig(servers(), Ssh(Secret("key"))), connect=lambda _: world)
    with pytest.raises(Refused) as caught:
        site.create_pool(SPEC, Attempt(60))
    assert "does not let root in" in caught.value.summary


def test_a_cause_that_is_no_servers_fault_is_told_and_no_other_server_is_tried() -> None:
    stage = Stage()
    stage.world.versions.clear()  # its index lies
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "no package kubeadm 1.36.3" in caught.value.summary
    assert caught.value.view is not None
    assert set(caught.value.view.servers) == stage.claimed()
    assert len(stage.claimed()) == 5


def test_a_stopped_create_starts_nothing_more_and_names_what_it_has() -> None:
    stage, stop = Stage(), threading.Event()

    def log(event: Event) -> None:
        if event.step.startswith("init") and event.outcome is Result.STARTED:
            stop.set()

    with pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, Attempt(60, stop, log))
    assert isinstance(caught.value.cause, Interrupted)
    assert caught.value.view is not None
    assert set(caught.value.view.servers) == stage.claimed()
    assert not any(isinstance(action, act.Join) for action in stage.world.acted)


class Unsure(SimulatedWorld):
    """The first claim of a worker is published, and its answer is lost."""

    lost = ""

    def carry_out(self, action: act.Action, timeout_seconds: float) -> None:
        super().carry_out(action, timeout_seconds)
        if isinstance(action, act.TakeClaim) and action.claim.role is Role.WORKER and not self.lost:
            self.lost = action.server
            raise OutcomeUnknown(f"contact with {action.server} was lost")


def test_a_claim_whose_outcome_is_unknown_is_no_orphan() -> None:
    stage = Stage(7, Unsure)
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert isinstance(stage.world, Unsure)
    assert stage.world.lost not in ("", *view.servers)  # the create went on without it
    assert stage.claimed() == set(view.servers)


def test_a_member_that_misses_a_probe_while_another_is_replaced_is_not_forgotten() -> None:
    stage = Stage(8)
    bad = workers_of(stage)[:2]  # four of the five workers are picked, so one of these is

    def log(event: Event) -> None:
        if event.outcome is Result.FAILED and event.server in bad:
            members = [n for n in workers_of(stage) if stage.machine(n).claim and n not in bad]
            stage.machine(members[0]).powered = False

    for name in bad:
        stage.world.broken[(act.Join, name)] = CommandFailed(f"{name}: disk on fire")
    spec = replace(SPEC, cores=32, memory_gib=64)
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(spec, Attempt(60, log=log))
    assert caught.value.view is not None
    assert stage.claimed() <= set(caught.value.view.servers)


def test_a_control_plane_that_fails_to_join_is_not_reset_behind_etcds_back() -> None:
    stage = Stage()
    last = sorted(list(stage.world.machines)[:3])
    for name in last:
        stage.world.broken[(act.Join, name)] = OutcomeUnknown(f"contact with {name} was lost")
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert not any(isinstance(action, act.Reset) for action in stage.world.acted)
    assert caught.value.view is not None
    assert set(caught.value.view.servers) == stage.claimed()


def test_a_cause_that_fails_every_join_does_not_burn_through_the_fleet() -> None:
    stage = Stage(12)
    for name in stage.world.machines:
        stage.world.broken[(act.Join, name)] = CommandFailed(f"{name}: no route to the endpoint")
    with pytest.raises(PoolIncomplete):
        stage.site.create_pool(SPEC, stage.attempt())
    prepared = {a.server for a in stage.world.acted if isinstance(a, act.Prepare)}
    assert len(prepared) == 5


def test_an_accident_while_letting_go_of_the_lock_orphans_nobody() -> None:
    stage = Stage()

    @contextmanager
    def slippery(server: str, uid: str) -> Iterator[SessionLock]:
        with SimulatedWorld.lock(stage.world, server, uid) as lock:
            yield lock
        raise EOFError

    stage.world.lock = slippery  # type: ignore[method-assign]
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert caught.value.view is not None
    assert set(caught.value.view.servers) == stage.claimed() != set()


def test_an_accident_amid_the_claims_orphans_nobody() -> None:
    stage = Stage()

    def log(event: Event) -> None:
        if event.outcome is Result.DONE:
            raise ZeroDivisionError

    with pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, Attempt(60, log=log))
    assert caught.value.view is not None
    assert stage.claimed() <= set(caught.value.view.servers)


def test_every_step_is_in_the_journal_of_the_control_planes() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    done = [event.as_json() for event in stage.events if event.outcome is Result.DONE]
    kept = [
        set(stage.machine(name).journal)
        for name, server in view.servers.items()
        if server.role is Role.CONTROL_PLANE
    ]
    assert any(set(done[-10:]) <= lines for lines in kept)


def test_an_error_that_nobody_foresaw_is_a_bug_that_names_its_place() -> None:
    stage = Stage()

    def explode(_: object) -> RpoolError:
        raise ZeroDivisionError("secret")

    stage.world._take_claim = explode  # type: ignore[assignment,method-assign]
    with pytest.raises(RpoolError) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "secret" not in str(caught.value)


class Raced(SimulatedWorld):
    """Another cluster claims `wanted` after they were looked at, before they are locked."""

    wanted: tuple[str, ...] = ()

    def kubernetes_packages(self, via: str, minor: str) -> PackagesSeen:
        for name in self.wanted:
            self.machines[name].claim = FOREIGN
        return super().kubernetes_packages(via, minor)


def test_a_create_that_loses_the_race_for_its_control_planes_takes_others() -> None:
    stage = Stage(9, Raced)
    assert isinstance(stage.world, Raced)
    stage.world.wanted = tuple(list(stage.world.machines)[:2])
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert view.condition is Condition.SETTLED
    assert not set(stage.world.wanted) & set(view.servers)
    assert all(stage.machine(name).claim == FOREIGN for name in stage.world.wanted)


def test_a_create_that_finds_no_other_control_plane_says_who_was_faster() -> None:
    stage = Stage(5, Raced)
    assert isinstance(stage.world, Raced)
    stage.world.wanted = tuple(list(stage.world.machines)[:1])
    with pytest.raises(RpoolError, match="is claimed by pool other") as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "could not be replaced" in caught.value.detail
    assert "Missing" in caught.value.detail
    assert stage.claimed() == set(stage.world.wanted)


class Watched(SimulatedWorld):
    """Remembers whether each control plane was locked when it became a member."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self.locked: dict[str, bool] = {}

    def carry_out(self, action: act.Action, timeout_seconds: float) -> None:
        if isinstance(action, act.Init | act.Join):
            uid = action.ownership.uid
            self.locked[action.server] = (action.server, uid) in self._locks
        super().carry_out(action, timeout_seconds)


@pytest.mark.parametrize("first", ["works", "is replaced"])
def test_a_create_holds_its_lock_on_each_control_plane(first: str) -> None:
    stage = Stage(9, Watched)
    assert isinstance(stage.world, Watched)
    if first == "is replaced":
        for name in list(stage.world.machines)[:2]:
            stage.world.broken[(act.Prepare, name)] = CommandFailed(f"{name}: disk on fire")
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert len(view.control_planes) == 3
    assert [n for n in view.control_planes if not stage.world.locked[n]] == []
    assert stage.world._locks == set()


def test_a_worker_that_is_replaced_leaves_no_node_behind() -> None:
    """Contact broke after it had registered its Node."""
    stage = Stage(9)
    for name in workers_of(stage)[:3]:
        stage.world.broken[(act.Join, name)] = OutcomeUnknown(f"contact with {name} was lost")
    view = stage.site.create_pool(SPEC, stage.attempt())
    cluster = stage.machine(view.control_planes[0]).cluster
    assert cluster is not None
    assert set(cluster.nodes) == set(view.servers) == stage.claimed()
