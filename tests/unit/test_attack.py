"""What random schedules do not reach: creates that race, that are taken over and cut off again, and
servers that no state would name afterwards.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from worlds.expect import settled
from worlds.fault import BEFORE, CHANGES, Fault, Probe
from worlds.samples import RECORD
from worlds.stage import ONE, SPEC, Stage, killed, made

from rpool.advice import Do
from rpool.api import PoolIncomplete
from rpool.errors import CommandFailed, Refused, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.pool import PoolSpec, Selector
from rpool.model.record import Member, Record
from rpool.model.server import Fleet, Role
from rpool.reach.documents import _text, read_record
from rpool_provider.resources import cluster_state
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.resource import Held, Values

WORKER = Role.WORKER
SMALL = replace(ONE, cores=8, memory_gib=16)


def uids(stage: Stage) -> set[str]:
    return {machine.claim.uid for machine in stage.world.machines.values() if machine.claim}


def other_process(stage: Stage) -> Stage:
    other = Stage.__new__(Stage)
    other.__dict__ |= stage.__dict__
    other.open()
    return other


def cut_off(stage: Stage, spec: PoolSpec, after: int) -> bool:
    with killed(stage, CHANGES, first=after, sure=False) as last:
        stage.site.create_pool(spec, stage.attempt())
    return bool(last)


def orphans(stage: Stage, known: set[str]) -> set[str]:
    return {n for n, m in stage.world.machines.items() if m.claim and m.claim.uid not in known}


def config(spec: PoolSpec = SPEC) -> Values:
    computed = [
        attribute.name for attribute in Cluster.schema.root.attributes if not attribute.configurable
    ]
    return cluster_state.configuration(spec) | dict.fromkeys(computed)


def tainted(stage: Stage, spec: PoolSpec, fault: Fault) -> Held:
    plan = Cluster().plan(Held(None), config(spec), stage.site)
    with stage.faults(fault):
        reply = Cluster().create(Held(plan.values, plan.private), stage.site, threading.Event())
    assert [diagnostic for diagnostic in reply.diagnostics if diagnostic.is_error]
    assert reply.held.values is not None
    stage.open()
    return reply.held


def replaced(stage: Stage, state: Held, spec: PoolSpec) -> tuple[Held, list[str]]:
    """Replaces a tainted cluster, as Terraform does it in one process. Returns what the state has
    in the end, and the errors.
    """
    plan = Cluster().plan(Held(None), config(spec), stage.site)
    deleted = Cluster().delete(Held(state.values, plan.private), stage.site, threading.Event())
    errors = [f"{d.summary}\n{d.detail}" for d in deleted.diagnostics if d.is_error]
    if deleted.held.values is not None:
        return deleted.held, errors
    try:
        created = Cluster().create(Held(plan.values, plan.private), stage.site, threading.Event())
    except RpoolError as error:
        return Held(None), [*errors, str(error)]
    errors += [f"{d.summary}\n{d.detail}" for d in created.diagnostics if d.is_error]
    return created.held, errors


def give_back(stage: Stage, error: Refused) -> None:
    """Does what the error advises: imports what is left, and destroys it."""
    advised = re.search(r"terraform import rpool_cluster.NAME (\w+)", error.detail)
    assert advised is not None, error
    imported = Cluster().import_(advised[1], stage.site).held
    deleted = Cluster().delete(Held(imported.values), stage.site, threading.Event())
    assert deleted.held.values is None


def known_to(state: Held) -> set[str]:
    return set() if state.values is None else {str(state.values["id"])}


NO_JOIN = Fault(act.Join, CommandFailed("no"), where=lambda join: join.control_plane)
NO_INIT = Fault(act.Init, CommandFailed("no"))


# -- two at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [SMALL, SPEC], ids=["1 + 1", "3 + 2"])
def test_of_two_creates_of_one_name_at_the_same_moment_only_one_makes_a_cluster(
    spec: PoolSpec,
) -> None:
    """Both have looked at the same spares, and neither has claimed any yet."""
    stage = Stage(14)
    results: list[object] = []

    def second(_: act.TakeClaim) -> None:
        other = other_process(stage)
        try:
            results.append(other.site.create_pool(spec, other.attempt()))
        except RpoolError as error:
            results.append(error)

    fault = Fault(act.TakeClaim, second, BEFORE, times=1)
    with stage.faults(fault):
        try:
            results.append(stage.site.create_pool(spec, stage.attempt()))
        except RpoolError as error:
            results.append(error)
    views = [result for result in results if not isinstance(result, RpoolError)]
    assert len(views) <= 1, "two clusters with one virtual IP"
    clusters = {id(m.cluster) for m in stage.world.machines.values() if m.cluster}
    assert len(clusters) <= 1


@pytest.mark.threads
def test_a_create_that_has_claimed_only_workers_yet_is_not_taken_over_while_it_works() -> None:
    stage = Stage(14)
    results: list[object] = []

    def second(action: act.TakeClaim) -> None:
        for _ in range(100):
            if stage.claimed():
                break
            threading.Event().wait(0.02)
        if not stage.claimed():
            return
        other = other_process(stage)
        try:
            results.append(other.site.create_pool(SPEC, other.attempt()))
        except RpoolError as error:
            results.append(error)

    control_planes = ("r1u00", "r2u01", "r3u02")
    once = iter([True])
    fault = Fault(
        act.TakeClaim,
        lambda action: second(action) if next(once, False) else threading.Event().wait(3),
        BEFORE,
        control_planes,
    )
    with stage.faults(fault):
        try:
            results.append(stage.site.create_pool(SPEC, stage.attempt()))
        except RpoolError as error:
            results.append(error)
    clusters = {id(m.cluster) for m in stage.world.machines.values() if m.cluster}
    assert len(clusters) == 1, results


# -- a resume that is cut off itself --------------------------------------------------------------


@pytest.mark.parametrize(
    "again", [SPEC, replace(SPEC, cores=24, memory_gib=48)], ids=["same", "other"]
)
@pytest.mark.parametrize("first", [3, 8, 12, 15, 17, 18, 19, 20, 21, 22])
def test_wherever_a_resume_was_killed_the_next_create_leaves_no_server_behind(
    first: int, again: PoolSpec
) -> None:
    for second in range(1, 60):
        stage = Stage(12)
        assert cut_off(stage, SPEC, first)
        stage.acted.clear()
        if not cut_off(stage, again, second):
            break
        try:
            view = stage.site.create_pool(again, stage.attempt())
        except Refused as error:
            give_back(stage, error)
            view = stage.site.create_pool(again, stage.attempt())
        assert orphans(stage, {view.uid}) == set(), (first, second)
        settled(stage, view, again)


@pytest.mark.parametrize("second", range(1, 9))
def test_what_a_resume_has_taken_over_is_returned_when_it_is_stopped(second: int) -> None:
    stage = Stage(12)
    with killed(stage, act.Join, first=2):
        stage.site.create_pool(SPEC, stage.attempt())
    before = uids(stage)
    stop = threading.Event()
    fault = Fault(CHANGES, lambda _: stop.set(), first=second, times=1)
    with stage.faults(fault), pytest.raises(RpoolError) as caught:
        stage.site.create_pool(SPEC, stage.attempt(stop=stop))
    new = uids(stage) - before
    if not new:
        return
    assert isinstance(caught.value, PoolIncomplete), caught.value
    assert caught.value.view is not None
    assert {caught.value.view.uid} == new


@pytest.mark.parametrize("killed_at", [act.Prepare, act.Init, act.Join, act.ApplyMetalLB])
def test_a_destroy_leaves_nothing_unnamed_of_what_was_taken_over_in_part(killed_at: type) -> None:
    left_over = 0
    for nth in range(1, 6):
        stage = Stage(12)
        with killed(stage, killed_at):
            stage.site.create_pool(SPEC, stage.attempt())
        not_taken = Fault(act.TakeClaim, CommandFailed("no"), first=nth, times=1)
        with stage.faults(not_taken), pytest.raises(PoolIncomplete) as caught:
            stage.site.create_pool(SPEC, stage.attempt())
        stage.open()
        if caught.value.view is None:  # nothing was taken over
            settled(stage, stage.site.create_pool(SPEC, stage.attempt()), SPEC)
            continue
        warnings = " ".join(stage.site.destroy_pool(caught.value.view, stage.attempt()))
        for uid in uids(stage):
            left_over += 1
            assert f"terraform import rpool_cluster.NAME {uid}" in warnings
            if any(machine.claim and machine.cluster for machine in stage.world.machines.values()):
                continue  # it serves under the other's uid: only the next create can have it
            imported = Cluster().import_(uid, stage.site).held
            deleted = Cluster().delete(Held(imported.values), stage.site, threading.Event())
            assert deleted.held.values is None
            assert stage.claimed() == set()
        try:
            view = stage.site.create_pool(SPEC, stage.attempt())
        except Refused as error:  # a control plane without the others: it serves nothing
            (uid,) = uids(stage)
            assert Do.IMPORT_SILENT.text(uid=uid) in error.detail
            for server in stage.claimed():
                stage.site.release(server, uid, stage.attempt())
            view = stage.site.create_pool(SPEC, stage.attempt())
        settled(stage, view, SPEC)
    assert left_over > 0


def test_what_was_taken_over_is_returned_when_the_rest_does_not_fit() -> None:
    stage = Stage(6)
    with killed(stage, act.Prepare):
        stage.site.create_pool(SPEC, stage.attempt())
    spare = next(n for n in stage.world.machines if n not in stage.claimed())
    stage.machine(spare).traces = ("/etc/kubernetes",)
    worker = next(n for n, m in stage.world.machines.items() if m.claim and m.claim.role is WORKER)
    stage.mark(worker, retire=True)
    with pytest.raises(RpoolError, match="does not fit") as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert isinstance(caught.value, PoolIncomplete), caught.value
    assert caught.value.view is not None
    assert set(caught.value.view.servers) == stage.claimed()


# -- servers that are silent, absent or elsewhere -------------------------------------------------


def test_a_server_that_falls_silent_between_the_sweep_and_the_fence_is_not_left_behind() -> None:
    stage = Stage(9)
    with killed(stage, act.Join, where=lambda join: not join.control_plane):
        stage.site.create_pool(SPEC, stage.attempt())
    worker = next(n for n, m in stage.world.machines.items() if m.role is Role.WORKER)
    silent = Fault(
        Probe, Unreachable("no"), servers=worker, where=lambda probe: probe.fence is not None
    )
    known: set[str] = set()
    with stage.faults(silent):
        try:
            known = {stage.site.create_pool(SPEC, stage.attempt()).uid}
        except PoolIncomplete as error:
            known = {error.view.uid} if error.view else set()
        except RpoolError:
            known = uids(stage) if len(uids(stage)) == 1 else set()
    assert orphans(stage, known) == set()


def test_a_server_that_was_removed_from_the_fleet_is_not_left_behind_by_a_resume() -> None:
    stage = Stage(12)
    with killed(stage, act.RevokeJoiners):
        stage.site.create_pool(SPEC, stage.attempt())
    before = uids(stage)
    worker = next(n for n, m in stage.world.machines.items() if m.role is Role.WORKER)
    fleet = stage.site.config.fleet.servers
    stage.open(Fleet({n: server for n, server in fleet.items() if n != worker}))
    with pytest.raises(RpoolError, match=worker):
        stage.site.create_pool(SPEC, stage.attempt())
    assert uids(stage) == before


def test_a_silent_server_of_a_tainted_create_is_not_left_behind_by_its_replacement() -> None:
    stage = Stage(12)
    state = tainted(stage, SPEC, NO_INIT)
    assert state.values is not None
    worker = next(n for n, server in state.values["servers"].items() if server["role"] == "worker")
    stage.machine(worker).powered = False
    state, errors = replaced(stage, state, SPEC)
    stage.machine(worker).powered = True
    assert orphans(stage, known_to(state)) == set(), errors


def test_a_tainted_create_is_not_left_behind_when_its_replacement_is_for_other_servers() -> None:
    stage = Stage(18)
    wide = replace(SMALL, selector=Selector(frozenset({"rack1"})))
    state = tainted(stage, wide, NO_INIT)
    elsewhere = replace(SMALL, selector=Selector(frozenset({"rack2", "rack3"})))
    state, errors = replaced(stage, state, elsewhere)
    assert orphans(stage, known_to(state)) == set(), errors


def test_what_a_tainted_create_has_stays_known_when_its_replacement_cannot_begin() -> None:
    """Its delete half leaves the claims to the create half, which then ends at once."""
    stage = Stage(9)
    state = tainted(stage, SPEC, NO_JOIN)
    silent = min(stage.claimed())
    stage.machine(silent).powered = False
    state, errors = replaced(stage, state, SPEC)
    stage.machine(silent).powered = True
    assert errors
    assert orphans(stage, known_to(state)) == set(), errors
    Cluster().delete(Held(state.values), stage.site, threading.Event())
    assert stage.claimed() == set()


def test_what_a_tainted_create_has_stays_known_when_none_of_it_can_be_taken_over() -> None:
    stage = Stage(9)
    state = tainted(stage, SPEC, NO_JOIN)
    with stage.faults(Fault(act.TakeClaim, CommandFailed("disk full"))):
        state, errors = replaced(stage, state, SPEC)
    assert errors
    assert orphans(stage, known_to(state)) == set(), errors


def test_a_protected_cluster_that_serves_is_not_reset_by_its_replacement() -> None:
    """`-replace`, with another size, of one whose create ended with a warning."""
    stage = Stage(12)
    protected = {"deletion_protection": True}
    plan = Cluster().plan(Held(None), config() | protected, stage.site)
    with stage.faults(Fault(act.ApplyMetalLB, CommandFailed("no"))):
        created = Cluster().create(Held(plan.values, plan.private), stage.site, threading.Event())
    stage.open()
    held = Cluster().read(created.held, stage.site).held
    other = config(replace(SPEC, cores=24, memory_gib=48)) | protected
    plan = Cluster().plan(Held(None), other, stage.site)
    stage.acted.clear()
    with pytest.raises(RpoolError, match="is protected from deletion"):
        Cluster().delete(Held(held.values, plan.private), stage.site, threading.Event())
    assert not [action for action in stage.acted if isinstance(action, act.Reset)]


# -- namesakes -------------------------------------------------------------------------------------


def test_a_settled_namesake_whose_api_is_down_is_not_joined_by_a_second_one_of_its_endpoint() -> (
    None
):
    stage = Stage(14)
    stage.site.create_pool(SPEC, stage.attempt())
    for name in ("r1u00", "r2u01"):
        stage.machine(name).powered = False
    with pytest.raises(RpoolError, match="batch"):
        stage.site.create_pool(SPEC, stage.attempt())
    assert len(uids(stage)) == 1


def test_a_resume_whose_reset_failed_on_one_server_says_so_until_it_is_clean() -> None:
    stage = Stage(12)
    with killed(stage, act.Join):
        stage.site.create_pool(SPEC, stage.attempt())
    dirty = Fault(act.Reset, CommandFailed("not clean"), servers="r1u00")
    with stage.faults(dirty), pytest.raises(RpoolError) as caught:
        stage.site.create_pool(SMALL, stage.attempt())
    assert isinstance(caught.value, PoolIncomplete), caught.value
    assert caught.value.view is not None
    assert {"r1u00"} <= set(caught.value.view.servers)
    assert {caught.value.view.uid} == uids(stage)
    stage.site.destroy_pool(caught.value.view, stage.attempt())
    assert stage.claimed() == set()


def test_a_resume_with_another_owner_s_namesake_beside_it_has_changed_nothing() -> None:
    """The error says that nothing was changed."""
    stage = Stage(9)
    with killed(stage, act.Prepare):
        stage.site.create_pool(SPEC, stage.attempt(owner="ann"))
    last = max(stage.claimed())
    claim = stage.machine(last).claim
    assert claim is not None
    stage.machine(last).claim = replace(claim, uid="ffffffff", owner="eve")
    before = {n: m.claim for n, m in stage.world.machines.items() if m.claim}
    with pytest.raises(Refused, match="eve has started"):
        stage.site.create_pool(SPEC, stage.attempt(owner="ann"))
    assert {n: m.claim for n, m in stage.world.machines.items() if m.claim} == before


# -- records that were edited, and dead control planes ---------------------------------------------


def record_edited(edit: Callable[[Record], Record]) -> tuple[Stage, Held]:
    """A cluster whose record somebody has edited, as the next refresh sees it."""
    stage = Stage(12)
    plan = Cluster().plan(Held(None), config(), stage.site)
    created = Cluster().create(Held(plan.values, plan.private), stage.site, threading.Event())
    assert created.held.values is not None
    cluster = stage.cluster(cluster_state.view(created.held.values))
    assert cluster.record is not None
    cluster.record = edit(cluster.record)
    stage.open()
    return stage, created.held


def test_a_record_with_nothing_settled_and_nothing_wanted_is_an_error_that_says_so() -> None:
    text = json.dumps(json.loads(_text(RECORD)) | {"settled": None, "wanted": None})
    with pytest.raises(ValueError, match="nothing settled and nothing wanted"):
        read_record(text)


def test_a_record_with_a_server_that_the_fleet_lacks_is_in_nobodys_way() -> None:
    ghost = Member(Role.WORKER, "10.9.9.9", "rack1", 1, 1)
    stage, held = record_edited(
        lambda record: replace(record, members={**record.members, "ghost": ghost})
    )
    refreshed = Cluster().read(held, stage.site)
    (warning,) = refreshed.diagnostics
    assert "names servers that are not its own: ghost" in warning.summary
    more = config(replace(SPEC, cores=24, memory_gib=48))
    planned = Cluster().plan(refreshed.held, more, stage.site)
    assert planned.values is not None
    assert "ghost" not in planned.values["servers"]


def test_a_record_without_control_planes_is_an_error_that_names_the_record() -> None:
    stage, held = record_edited(
        lambda record: replace(
            record, members={n: replace(m, role=Role.WORKER) for n, m in record.members.items()}
        )
    )
    assert held.values is not None
    view = cluster_state.view(held.values)
    roles = {name: server.role for name, server in view.servers.items()}
    with pytest.raises(RpoolError, match="record"):
        stage.site.change_pool(view, replace(SPEC, cores=17), roles, stage.attempt())


def test_a_control_plane_that_cannot_join_beside_a_dead_one_is_an_error_that_names_the_dead() -> (
    None
):
    """etcd takes no member while another is dead: the new one is not to blame."""
    stage, view = made(12)
    dead = view.control_planes[0]
    stage.machine(dead).lose_power()
    stage.open()
    five = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=5))
    with pytest.raises(RpoolError) as caught:
        stage.become(view, five)
    assert dead in str(caught.value)
    assert "lost = true" in str(caught.value)
