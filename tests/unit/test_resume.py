"""A create that failed or was killed is continued by the next of its name and owner, under a new
uid; what belongs to another owner, or is alive, is left alone.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from worlds.expect import kinds, settled
from worlds.fault import AFTER, CHANGES, Fault
from worlds.stage import ONE, SPEC, Stage, killed

from rpool.api import Attempt, PoolIncomplete
from rpool.errors import CommandFailed, Refused
from rpool.model import action as act
from rpool.model.claim import Claim
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.server import Role, ServerName
from rpool.model.view import Condition
from rpool_provider.resources import cluster_state
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.resource import Held, Values

SMALL = replace(ONE, cores=8, memory_gib=16)


def cut_off(stage: Stage, spec: PoolSpec, after: int) -> bool:
    """Kills the plugin of a create after so many actions; True if the create got that far."""
    with killed(stage, CHANGES, first=after, sure=False) as last:
        stage.site.create_pool(spec, stage.attempt())
    return bool(last)


@pytest.mark.parametrize("spec", [SMALL, SPEC], ids=["1 + 1", "3 + 2"])
def test_wherever_a_create_was_killed_the_next_one_goes_on(spec: PoolSpec) -> None:
    cuts = 0
    while True:
        stage = Stage(9)
        if not cut_off(stage, spec, cuts + 1):
            break
        cuts += 1
        uids = {machine.claim.uid for machine in stage.world.machines.values() if machine.claim}
        clusters = [machine.cluster for machine in stage.world.machines.values() if machine.cluster]
        record = clusters[0].record if clusters else None
        if record is not None and record.settled is not None:
            with pytest.raises(Refused, match="already exists") as caught:
                stage.site.create_pool(spec, stage.attempt())
            assert f"terraform import rpool_cluster.NAME {record.uid}" in caught.value.detail
            settled(stage, stage.site.find_pool(record.uid).view, spec)
            continue
        warnings: list[str] = []
        view = stage.site.create_pool(spec, stage.attempt(warn=warnings.append))
        assert len(warnings) == 1, warnings
        assert view.uid not in uids
        settled(stage, view, spec)
    assert cuts > 10


def test_a_create_that_is_gone_on_with_joins_nobody_twice() -> None:
    stage = Stage(9)
    with killed(stage, act.Join, first=2):
        stage.site.create_pool(SPEC, stage.attempt())
    before = list(stage.acted)
    stage.site.create_pool(SPEC, stage.attempt())
    joined = [action.server for action in before if isinstance(action, act.Init | act.Join)]
    again = [action.server for action in stage.acted[len(before) :] if isinstance(action, act.Init)]
    assert kinds(stage.acted, act.Reset) == []
    assert again == []
    assert len(joined) >= 2


def test_the_state_of_what_was_taken_over_finds_its_cluster_gone_and_destroys_nothing() -> None:
    stage = Stage(9)
    fault = Fault(act.Join, CommandFailed("no"), where=lambda join: join.control_plane)
    with stage.faults(fault), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    older = caught.value.view
    assert older is not None
    stage.open()
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.open()
    assert stage.site.read_pool(older).view is None
    stage.site.destroy_pool(older, stage.attempt())
    assert stage.claimed() == set(view.servers)
    settled(stage, view, SPEC)


def test_another_owner_s_create_is_refused_with_who_and_since_when() -> None:
    stage = Stage(9)
    with killed(stage, act.Prepare):
        stage.site.create_pool(SPEC, stage.attempt(owner="eve@desk"))
    claimed = stage.claimed()
    with pytest.raises(Refused, match="eve@desk has started to create cluster batch") as caught:
        stage.site.create_pool(SPEC, stage.attempt(owner="ann@desk"))
    assert "since 2" in caught.value.summary
    assert stage.claimed() == claimed
    settled(stage, stage.site.create_pool(SPEC, stage.attempt(owner="eve@desk")), SPEC)


def test_a_create_that_is_at_work_is_not_taken_over() -> None:
    """Two states with one name."""
    stage = Stage(12)
    errors: list[Refused] = []

    def second(_: act.Init) -> None:
        other = Stage.__new__(Stage)
        other.__dict__ |= stage.__dict__
        other.open()
        with pytest.raises(Refused, match="is being created at this moment") as caught:
            other.site.create_pool(SPEC, other.attempt())
        errors.append(caught.value)

    with stage.faults(Fault(act.Init, second)):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert errors
    settled(stage, view, SPEC)


def test_a_second_cluster_of_one_name_is_refused_whatever_its_endpoint() -> None:
    stage = Stage(12)
    one = stage.site.create_pool(SMALL, stage.attempt())
    other = replace(SMALL, control_plane=ControlPlane(1, Endpoint(vip="10.0.1.201")))
    with pytest.raises(Refused, match=f"already exists .uid {one.uid}."):
        stage.site.create_pool(other, stage.attempt())
    assert stage.claimed() == set(one.servers)
    assert stage.read(one) == one


def test_another_request_begins_anew_on_servers_that_were_reset() -> None:
    stage = Stage(9)
    with killed(stage, act.Join):
        stage.site.create_pool(SPEC, stage.attempt())
    warnings: list[str] = []
    view = stage.site.create_pool(SMALL, stage.attempt(warn=warnings.append))
    assert "starts over" in warnings[0]
    settled(stage, view, SMALL)


def test_what_does_not_answer_is_not_left_behind_without_a_word() -> None:
    stage = Stage(9)
    with killed(stage, act.RevokeJoiners):
        stage.site.create_pool(SPEC, stage.attempt())
    worker = next(n for n, m in stage.world.machines.items() if m.claim and n not in ("r1u00",))
    stage.machine(worker).powered = False
    with pytest.raises(Exception, match=f"has {worker}, which cannot be reached"):
        stage.site.create_pool(SPEC, stage.attempt())
    stage.machine(worker).powered = True
    settled(stage, stage.site.create_pool(SPEC, stage.attempt()), SPEC)


def claims(stage: Stage) -> dict[ServerName, Claim]:
    return {name: machine.claim for name, machine in stage.world.machines.items() if machine.claim}


def test_whom_a_create_that_goes_on_could_not_ask_is_told_with_how_it_is_given_back() -> None:
    stage = Stage(9)
    with killed(stage, act.TakeClaim, first=5):
        stage.site.create_pool(SPEC, stage.attempt())
    (uid,) = {claim.uid for claim in claims(stage).values()}
    missed = next(n for n, claim in claims(stage).items() if claim.role is Role.WORKER)
    stage.machine(missed).lose_power()
    warnings: list[str] = []
    view = stage.site.create_pool(SPEC, stage.attempt(warn=warnings.append))
    unknown = f"(uid {uid}) has claimed {missed} is unknown: no answer"
    assert any(
        unknown in warning and f"rpool release {missed} --claim {uid}" in warning
        for warning in warnings
    )
    stage.machine(missed).give_power()
    stage.open()
    stage.site.release(missed, uid, Attempt(timeout_seconds=60))
    assert stage.claimed() == view.servers.keys()


def test_a_plan_says_what_becomes_of_those_that_an_earlier_create_has_claimed() -> None:
    stage = Stage(9)
    with killed(stage, act.TakeClaim, first=4):
        stage.site.create_pool(SPEC, stage.attempt())
    (uid,) = {claim.uid for claim in claims(stage).values()}
    (warning,) = Cluster().plan(Held(None), config(), stage.site).diagnostics
    names = ", ".join(sorted(claims(stage)))
    assert f"{names}: claimed by a cluster batch now (uid {uid})" in warning.detail
    assert "The others are free now" in warning.detail
    stage.site.create_pool(SPEC, stage.attempt())
    stage.open()
    (warning,) = Cluster().plan(Held(None), config(), stage.site).diagnostics
    assert "free now" not in warning.detail
    assert "If it is a complete cluster, destroy it first" in warning.detail


def member_of(stage: Stage, role: Role) -> ServerName:
    """The last member in that role of a create that is killed as all of SPEC's five are members."""
    with killed(stage, act.SetPhase, first=5):
        stage.site.create_pool(SPEC, stage.attempt())
    claims = [machine.claim for machine in stage.world.machines.values() if machine.claim]
    return next(
        claim.server for claim in reversed(claims) if claim.is_member and claim.role is role
    )


@pytest.mark.parametrize("role", Role)
def test_a_member_that_was_installed_anew_since_joins_again(role: Role) -> None:
    """As an error may advise. Its Node and its member of etcd are there still, and go first."""
    stage = Stage(9)
    member = member_of(stage, role)
    stage.machine(member).reinstall()
    settled(stage, stage.site.create_pool(SPEC, stage.attempt()), SPEC)


@pytest.mark.parametrize("role", Role)
def test_a_member_that_is_installed_anew_as_it_is_taken_over_is_no_member(role: Role) -> None:
    """That is between the look at what is left and the claim. Nothing is claimed there: no join and
    no later apply gets past a member's claim on an empty disk.
    """
    stage = Stage(9)
    member = member_of(stage, role)

    def install(_: act.TakeClaim) -> None:
        stage.machine(member).reinstall()

    fault = Fault(act.TakeClaim, install, servers=member, times=1)
    with stage.faults(fault), pytest.raises(PoolIncomplete, match=f"{member} is not claimed"):
        stage.site.create_pool(SPEC, stage.attempt())
    settled(stage, stage.site.create_pool(SPEC, stage.attempt()), SPEC)


# -- as Terraform calls it -----------------------------------------------------------------------


def config(spec: PoolSpec = SPEC) -> Values:
    computed = [
        attribute.name for attribute in Cluster.schema.root.attributes if not attribute.configurable
    ]
    return cluster_state.configuration(spec) | dict.fromkeys(computed)


def failed_create(stage: Stage, fault: Fault, spec: PoolSpec = SPEC) -> tuple[Held, list[str]]:
    plan = Cluster().plan(Held(None), config(spec), stage.site)
    with stage.faults(fault):
        reply = Cluster().create(Held(plan.values, plan.private), stage.site, threading.Event())
    return reply.held, [
        diagnostic.summary for diagnostic in reply.diagnostics if diagnostic.is_error
    ]


NEVER_SERVES = Fault(act.Join, CommandFailed("no"), where=lambda join: join.control_plane)


def test_a_tainted_create_is_gone_on_with_by_its_replacement() -> None:
    stage = Stage(9)
    tainted, errors = failed_create(stage, NEVER_SERVES)
    assert errors
    stage.open()
    plan = Cluster().plan(Held(None), config(), stage.site)  # the replacement's create
    assert tainted.values is not None
    claimed = stage.claimed()
    stage.acted.clear()
    deleted = Cluster().delete(Held(tainted.values, plan.private), stage.site, threading.Event())
    assert deleted.held.values is None
    assert stage.claimed() == claimed
    assert "the create that follows resumes it" in deleted.diagnostics[0].summary
    made = Cluster().create(Held(plan.values, plan.private), stage.site, threading.Event())
    assert made.held.values is not None
    assert kinds(stage.acted, act.Reset) == []
    settled(stage, cluster_state.view(made.held.values), SPEC)


def test_a_plain_destroy_of_a_tainted_create_gives_its_servers_back() -> None:
    stage = Stage(9)
    tainted, _ = failed_create(stage, NEVER_SERVES)
    plan = Cluster().plan(tainted, None, stage.site)
    deleted = Cluster().delete(Held(tainted.values, plan.private), stage.site, threading.Event())
    assert deleted.held.values is None
    assert stage.claimed() == set()


def test_the_replacement_of_a_cluster_that_was_made_resets_it() -> None:
    stage = Stage(9)
    stage.site.create_pool(SPEC, stage.attempt())
    imported = Cluster().import_("batch", stage.site).held
    plan = Cluster().plan(Held(None), config(), stage.site)
    deleted = Cluster().delete(Held(imported.values, plan.private), stage.site, threading.Event())
    assert deleted.held.values is None
    assert stage.claimed() == set()


def test_a_create_that_fails_once_its_control_planes_are_in_is_no_error_but_incomplete() -> None:
    """An error would taint it, and the next apply would build it anew."""
    stage = Stage(9)
    held, errors = failed_create(stage, Fault(act.ApplyMetalLB, CommandFailed("no route")))
    assert errors == []
    assert held.values is not None
    assert held.values["condition"] == Condition.INCOMPLETE.value
    view = cluster_state.view(held.values)
    settled(stage, stage.become(stage.read(view), SPEC), SPEC)


def test_a_claim_that_is_taken_over_keeps_its_phase_and_refuses_the_former_session() -> None:
    stage = Stage(9)
    with killed(stage, act.RevokeJoiners):
        stage.site.create_pool(SPEC, stage.attempt())
    former = next(machine.claim for machine in stage.world.machines.values() if machine.claim)
    view = stage.site.create_pool(SPEC, stage.attempt())
    with pytest.raises(Refused):
        server = former.server
        stage.world.carry_out(act.SetPhase(server, former.ownership, former.phase), 60)
    assert view.uid != former.uid


def install_control_plane_anew(stage: Stage) -> None:
    machines = stage.world.machines.values()
    next(machine for machine in machines if machine.role is Role.CONTROL_PLANE).reinstall()


@pytest.mark.parametrize("after", [act.Join, act.RevokeJoiners, act.SetPhase])
def test_what_is_left_of_a_cluster_whose_control_plane_was_installed_anew_is_taken_over(
    after: type[act.Action],
) -> None:
    """By the claims alone its workers could be a finished cluster's; the state knows better."""
    stage = Stage(9)

    def is_it(action: act.Action) -> bool:
        """Of the phases that of the worker, whose claim says that it is a member by then."""
        machine = stage.machine(action.server)
        return not isinstance(action, act.SetPhase) or machine.role is not Role.CONTROL_PLANE

    fault = Fault(after, lambda _: install_control_plane_anew(stage), AFTER, times=1, where=is_it)
    tainted, errors = failed_create(stage, fault, SMALL)
    assert errors
    stage.open()
    plan = Cluster().plan(Held(None), config(SMALL), stage.site)
    assert tainted.values is not None
    Cluster().delete(Held(tainted.values, plan.private), stage.site, threading.Event())
    made = Cluster().create(Held(plan.values, plan.private), stage.site, threading.Event())
    assert made.held.values is not None
    assert [diagnostic for diagnostic in made.diagnostics if diagnostic.is_error] == []
    settled(stage, cluster_state.view(made.held.values), SMALL)


def test_what_somebody_else_has_made_to_its_end_since_it_was_left_is_not_taken_over() -> None:
    """The state of a create that had failed knows nothing of what came after: the record does."""
    stage = Stage(9)
    fault = Fault(act.Join, CommandFailed("no"), where=lambda join: not join.control_plane)
    tainted, _ = failed_create(stage, fault, SMALL)
    assert tainted.values is not None
    plan = Cluster().plan(Held(None), config(SMALL), stage.site)
    Cluster().delete(Held(tainted.values, plan.private), stage.site, threading.Event())
    site = stage.site
    view = stage.become(stage.read(cluster_state.view(tainted.values)), SMALL, SMALL)
    made = Cluster().create(Held(plan.values, plan.private), site, threading.Event())
    (refused,) = [diagnostic.summary for diagnostic in made.diagnostics if diagnostic.is_error]
    assert refused == f"cluster batch already exists (uid {view.uid})"
    assert made.held.values is not None
    assert made.held.values["id"] == view.uid  # it is in a state, as it was before
    settled(stage, view, SMALL)


@pytest.mark.threads
def test_workers_of_a_control_plane_that_was_installed_anew_join_the_new_one() -> None:
    """They trust a CA that is no more: their Nodes would never be registered again."""
    stage, spec, members = Stage(9), replace(SMALL, cores=24), threading.Semaphore(0)

    def fails(join: act.Join) -> None:
        for _ in range(3):
            assert members.acquire(timeout=30)
        install_control_plane_anew(stage)
        raise CommandFailed(f"{join.server} does not join")

    one_more = Fault(act.SetPhase, lambda _: members.release(), AFTER)
    faults = stage.faults(one_more, Fault(act.Join, fails, times=1))
    with faults, pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(spec, stage.attempt())
    assert caught.value.view is not None
    settled(stage, stage.become(stage.read(caught.value.view), spec), spec)
