"""Creating a cluster, on modelled servers that keep the real rules."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from worlds.fault import AFTER, Answer, Fault, Lock, Packages, Probe
from worlds.stage import FOREIGN, SPEC, Stage, workers_of

from rpool.api import Attempt, PoolIncomplete
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
from rpool.model.seen import PackagesSeen
from rpool.model.server import Role
from rpool.model.view import Condition


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
    assert f"{names[3]}: claimed by cluster other (uid ffffffff, owner eve@desk" in detail
    assert f"{names[4]}: not clean: /etc/kubernetes/kubelet.conf" in detail
    assert stage.acted == []


def test_servers_that_do_not_answer_are_no_lack_of_servers() -> None:
    stage = Stage(7)
    silent = sorted(stage.world.machines)[-3:]
    for name in silent:
        stage.machine(name).powered = False
    with pytest.raises(
        Unreachable, match="3 servers cannot be reached by SSH, and cluster"
    ) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert all(name in caught.value.detail for name in silent)
    assert stage.acted == []
    with pytest.raises(DoesNotFit):
        stage.site.create_pool(replace(SPEC, cores=64), stage.attempt())


def test_a_used_virtual_ip_is_refused_before_any_claim() -> None:
    stage = Stage()
    other = replace(SPEC, control_plane=ControlPlane(3, Endpoint(vip="10.9.9.9")))
    stage.machine("r1u06").server = replace(stage.machine("r1u06").server, address="10.9.9.9")
    with pytest.raises(Refused) as caught:
        stage.site.create_pool(other, stage.attempt())
    assert "10.9.9.9" in caught.value.detail
    assert stage.acted == []


@pytest.mark.parametrize("kind", [act.TakeClaim, act.Prepare, act.Join])
def test_servers_that_fail_are_given_back_and_replaced(kind: type[act.Action]) -> None:
    stage = Stage()
    fault = Fault(kind, CommandFailed("disk on fire"), servers=workers_of(stage), times=2)
    with stage.faults(fault) as (struck,):
        view = stage.site.create_pool(SPEC, stage.attempt())
    bad = {action.server for action in struck}
    assert len(bad) == 2  # of the four that can be workers
    assert view.condition is Condition.SETTLED
    assert view.allocated_cores == 16
    assert not bad & set(view.servers)
    assert stage.claimed() == set(view.servers)


def offers(*versions: str, unread: str = "") -> Fault:
    return Fault(Packages, Answer(lambda _: PackagesSeen(frozenset(versions), unread)))


def test_a_version_that_is_not_offered_is_refused_before_any_claim() -> None:
    stage = Stage()
    with stage.faults(offers("1.36.3")), pytest.raises(Refused) as caught:
        stage.site.create_pool(replace(SPEC, kubernetes_version="1.36.9"), stage.attempt())
    assert "no package kubeadm 1.36.9" in caught.value.detail
    assert "of 1.36 there is 1.36.3" in caught.value.detail
    assert stage.claimed() == set()


def test_a_repository_that_servers_cannot_read_is_refused_before_any_claim() -> None:
    stage = Stage()
    unread = "Could not connect to 10.0.0.9:80: no route to host"
    with stage.faults(offers(unread=unread)), pytest.raises(Refused) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "cannot read the package repository of 1.36: Could not connect" in caught.value.detail
    assert stage.claimed() == set()


def test_what_is_installed_already_needs_no_repository() -> None:
    stage = Stage()
    unread = "Could not connect to 10.0.0.9:80: no route to host"
    with stage.faults(offers("1.36.3", unread=unread)):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert view.condition is Condition.SETTLED


def test_a_key_that_no_server_accepts_is_one_error_about_the_key() -> None:
    class NoEntry(Unreachable):
        retryable = False

    stage = Stage()
    closed = Fault(Probe, NoEntry("it does not let root in"))
    with stage.faults(closed), pytest.raises(Refused) as caught:
        stage.site.create_pool(SPEC, Attempt(60))
    assert "does not let root in" in caught.value.summary


def test_a_cause_that_is_no_servers_fault_is_told_and_no_other_server_is_tried() -> None:
    stage = Stage()
    lied = Fault(act.Prepare, CommandFailed("no package kubeadm 1.36.3"))  # its index
    with stage.faults(lied), pytest.raises(PoolIncomplete) as caught:
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
    assert not any(isinstance(action, act.Join) for action in stage.acted)


def test_a_claim_whose_outcome_is_unknown_is_no_orphan() -> None:
    """The first claim of a worker is published, and its answer is lost."""
    stage = Stage()
    fault = Fault(
        act.TakeClaim,
        OutcomeUnknown("contact was lost"),
        AFTER,
        where=lambda take: take.claim.role is Role.WORKER,
        times=1,
    )
    with stage.faults(fault) as (claims,):
        view = stage.site.create_pool(SPEC, stage.attempt())
    (lost,) = claims
    assert lost.server not in view.servers  # the create went on without it
    assert stage.claimed() == set(view.servers)


def test_a_claim_whose_outcome_nobody_can_look_up_is_in_the_state() -> None:
    """The claim is published, and its server falls silent."""
    stage = Stage(7)
    roles = stage.site.advise(SPEC).likely
    victim = next(name for name, role in roles.items() if role is Role.WORKER)

    def falls_silent(_: act.TakeClaim) -> None:
        stage.machine(victim).lose_power()
        raise OutcomeUnknown("contact was lost")

    silent = Fault(act.TakeClaim, falls_silent, AFTER, servers=victim)
    with stage.faults(silent), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert caught.value.view is not None
    assert stage.claimed() <= caught.value.view.servers.keys()
    assert victim in caught.value.view.servers


def test_a_member_that_misses_a_probe_while_another_is_replaced_is_not_forgotten() -> None:
    stage = Stage(8)
    bad = workers_of(stage)[:2]  # four of the five workers are picked, so one of these is

    def log(event: Event) -> None:
        if event.outcome is Result.FAILED and event.server in bad:
            members = [n for n in workers_of(stage) if stage.machine(n).claim and n not in bad]
            stage.machine(members[0]).powered = False

    spec = replace(SPEC, cores=32, memory_gib=64)
    fault = Fault(act.Join, CommandFailed("disk on fire"), servers=bad)
    with stage.faults(fault), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(spec, Attempt(60, log=log))
    assert caught.value.view is not None
    assert stage.claimed() <= set(caught.value.view.servers)


def test_a_control_plane_whose_join_lost_its_answer_is_looked_at_and_goes_on() -> None:
    stage = Stage()
    control_planes = list(stage.world.machines)[:3]
    fault = Fault(act.Join, OutcomeUnknown("contact was lost"), AFTER, servers=control_planes)
    with stage.faults(fault) as (joins,):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert len({join.server for join in joins}) == len(joins) == 2
    assert view.condition is Condition.SETTLED
    assert not any(isinstance(action, act.Reset) for action in stage.acted)


def test_a_control_plane_that_fails_to_join_is_not_reset_behind_etcds_back() -> None:
    stage = Stage()
    control_planes = list(stage.world.machines)[:3]
    fault = Fault(act.Join, CommandFailed("its disk is slow"), servers=control_planes)
    with stage.faults(fault), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert not any(isinstance(action, act.Reset) for action in stage.acted)
    assert caught.value.view is not None
    assert set(caught.value.view.servers) == stage.claimed()


def test_a_cause_that_fails_every_join_does_not_burn_through_the_fleet() -> None:
    stage = Stage(12)
    fault = Fault(act.Join, CommandFailed("no route to the endpoint"))
    with stage.faults(fault), pytest.raises(PoolIncomplete):
        stage.site.create_pool(SPEC, stage.attempt())
    prepared = {a.server for a in stage.acted if isinstance(a, act.Prepare)}
    assert len(prepared) == 5


def test_an_accident_while_letting_go_of_the_lock_orphans_nobody() -> None:
    stage = Stage()
    with stage.faults(Fault(Lock, EOFError(), AFTER)), pytest.raises(PoolIncomplete) as caught:
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
    assert {json.loads(line)["format"] for lines in kept for line in lines} == {1}


def test_an_error_that_nobody_foresaw_is_a_bug_that_names_its_place() -> None:
    stage = Stage()
    fault = Fault(act.TakeClaim, ZeroDivisionError("secret"))
    with stage.faults(fault), pytest.raises(RpoolError) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "secret" not in str(caught.value)


def raced(stage: Stage, wanted: list[str]) -> Fault:
    """Another cluster claims `wanted` after they were looked at, before they are locked."""

    def claim(_: Packages) -> None:
        for name in wanted:
            stage.machine(name).claim = FOREIGN

    return Fault(Packages, claim)


def test_a_create_that_loses_the_race_for_its_control_planes_takes_others() -> None:
    stage = Stage(9)
    wanted = list(stage.world.machines)[:2]
    with stage.faults(raced(stage, wanted)):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert view.condition is Condition.SETTLED
    assert not set(wanted) & set(view.servers)
    assert all(stage.machine(name).claim == FOREIGN for name in wanted)


def test_a_create_that_finds_no_other_control_plane_says_who_was_faster() -> None:
    stage = Stage(5)
    wanted = list(stage.world.machines)[:1]
    with (
        stage.faults(raced(stage, wanted)),
        pytest.raises(RpoolError, match="is claimed by cluster other") as caught,
    ):
        stage.site.create_pool(SPEC, stage.attempt())
    assert "could not be replaced" in caught.value.detail
    assert "Missing" in caught.value.detail
    assert stage.claimed() == set(wanted)


@pytest.mark.parametrize("first", ["works", "is replaced"])
def test_a_create_holds_its_lock_on_each_control_plane(first: str) -> None:
    stage = Stage(9)
    locked: dict[str, bool] = {}

    def look(action: act.Init | act.Join) -> None:
        locked[action.server] = (action.server, action.ownership.uid) in stage.faulty.held

    faults = [Fault((act.Init, act.Join), look)]
    if first == "is replaced":
        bad = list(stage.world.machines)[:2]
        faults += [Fault(act.Prepare, CommandFailed("disk on fire"), servers=bad)]
    with stage.faults(*faults):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert len(view.control_planes) == 3
    assert [name for name in view.control_planes if not locked[name]] == []
    assert stage.faulty.held == set()


def test_a_worker_that_is_replaced_leaves_no_node_behind() -> None:
    """Contact broke after it had registered its Node."""
    stage = Stage(9)
    fault = Fault(act.Join, OutcomeUnknown("lost"), AFTER, servers=workers_of(stage), times=2)
    with stage.faults(fault) as (joins,):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert {join.server for join in joins}.isdisjoint(view.servers)
    cluster = stage.machine(view.control_planes[0]).cluster
    assert cluster is not None
    assert set(cluster.nodes) == set(view.servers) == stage.claimed()
