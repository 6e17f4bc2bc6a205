"""Creating and destroying a pool, on modelled servers that keep the real rules."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from rpool.api import Attempt, PoolIncomplete, Site
from rpool.errors import (
    CommandFailed,
    DoesNotFit,
    Interrupted,
    OutcomeUnknown,
    Refused,
    RpoolError,
    TimedOut,
    Unreachable,
)
from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.event import Event, Result
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.secret import Secret
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Role, Server
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import Condition
from rpool.model.world import SessionLock
from rpool.simulate.world import Machine, SimulatedWorld

SPEC = PoolSpec(
    name="batch",
    kubernetes_version="1.36.3",
    cores=16,
    memory_gib=32,
    control_plane=ControlPlane(3, Endpoint(vip="10.0.1.200")),
    metallb_pools={"default": ("10.0.1.210-10.0.1.230",)},
)
FOREIGN = Claim("ffffffff", "other", "eve@desk", Role.WORKER, Phase.MEMBER, 1, "2026-01-01")


def servers(count: int = 7) -> Fleet:
    return Fleet(
        {
            f"r{i % 3 + 1}u{i:02}": Server(
                name=f"r{i % 3 + 1}u{i:02}",
                address=f"10.0.1.{i + 10}",
                cores=4 if i < 3 else 8,
                memory_gib=8 if i < 3 else 16,
                zone=f"rack{i % 3 + 1}",
                host_key="ssh-ed25519 AAAA",
            )
            for i in range(count)
        }
    )


class Stage:
    """A site, its modelled world and what was logged."""

    def __init__(self, count: int = 7) -> None:
        self.world = SimulatedWorld(servers(count))
        config = SiteConfig(servers(count), Ssh(Secret("key")))
        self.site = Site(config, connect=lambda _: self.world)
        self.events: list[Event] = []

    def attempt(self, **more: Any) -> Attempt:
        return Attempt(timeout_seconds=60, log=self.events.append, **more)

    def machine(self, name: str) -> Machine:
        return self.world.machines[name]

    def claimed(self) -> set[str]:
        return {name for name, machine in self.world.machines.items() if machine.claim}


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


def test_what_an_incomplete_create_left_can_be_destroyed() -> None:
    stage = Stage()
    stage.world.versions.clear()  # its index lies
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert caught.value.view is not None
    stage.site.destroy_pool(caught.value.view, stage.attempt())
    assert stage.claimed() == set()


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


def test_a_destroy_never_touches_a_server_that_another_pool_has_meanwhile() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    taken = next(n for n, s in view.servers.items() if s.role is Role.WORKER)
    stage.machine(taken).claim = FOREIGN
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.machine(taken).claim == FOREIGN
    assert stage.machine(taken).cluster is not None


def test_an_unreachable_pool_is_shown_as_before_with_a_warning() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    for machine in stage.world.machines.values():
        machine.powered = False
    found = stage.site.read_pool(view)
    assert found.view == view
    assert "Out of reach by SSH" in found.warnings[0]


def workers_of(stage: Stage) -> list[str]:
    """The servers that can only be workers here: the control planes are the three small ones."""
    return list(stage.world.machines)[3:]


def test_a_claim_whose_outcome_is_unknown_is_no_orphan() -> None:
    stage = Stage()
    for name in workers_of(stage)[:2]:
        stage.world.broken[(act.TakeClaim, name)] = OutcomeUnknown(f"contact with {name} was lost")
    view = stage.site.create_pool(SPEC, stage.attempt())
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


def test_a_read_of_an_incomplete_pool_forgets_no_server() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    more = replace(view.servers[next(iter(view.servers))])
    incomplete = replace(
        view, condition=Condition.INCOMPLETE, servers={**view.servers, "r9u99": more}
    )
    found = stage.site.read_pool(incomplete).view
    assert found is not None
    assert "r9u99" in found.servers
    assert found.condition is Condition.INCOMPLETE


def test_an_accident_while_letting_go_of_the_lock_orphans_nobody() -> None:
    stage = Stage()

    @contextmanager
    def slippery(server: str, uid: str) -> Iterator[SessionLock]:
        with SimulatedWorld.lock(stage.world, server, uid) as lock:
            yield lock
        raise EOFError

    stage.world.lock = slippery  # type: ignore[method-assign,assignment]
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


def test_a_drain_that_fails_is_a_warning_once_all_servers_are_back() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    for name in view.servers:
        stage.world.broken[(act.Drain, name)] = TimedOut("draining took too long")
    assert stage.site.destroy_pool(view, stage.attempt()) == ("draining took too long",)
    assert stage.claimed() == set()


def test_a_server_marked_lost_is_let_go_by_a_destroy() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    dead = next(n for n, s in view.servers.items() if s.role is Role.WORKER)
    stage.machine(dead).powered = False
    fleet = servers().servers
    marked = Fleet({**fleet, dead: replace(fleet[dead], lost=True)})
    site = Site(SiteConfig(marked, Ssh(Secret("key"))), connect=lambda _: stage.world)
    (warning,) = site.destroy_pool(view, stage.attempt())
    assert dead in warning
    assert stage.claimed() == {dead}


def test_a_member_that_refuses_us_does_not_keep_the_others_from_being_given_back() -> None:
    stage = Stage()
    view = stage.site.create_pool(SPEC, stage.attempt())
    odd = next(n for n, s in view.servers.items() if s.role is Role.WORKER)
    probe = stage.world.probe

    def probing(server: str) -> Probed:
        if server == odd:
            raise Refused(f"{server} does not have the host key that the fleet declares")
        return probe(server)

    stage.world.probe = probing  # type: ignore[method-assign]
    with pytest.raises(PoolIncomplete) as caught:
        stage.site.destroy_pool(view, stage.attempt())
    assert "host key" in caught.value.detail
    assert stage.claimed() == {odd}


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
