"""What the resource adds to the engine: protection, and what stays known without contact."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from worlds.fault import Fault
from worlds.stage import ONE, SMALLER, SPEC, Stage, killed, with_role

from rpool.api import PoolIncomplete
from rpool.errors import CommandFailed, Refused, SpecError, Unreachable
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.pool import Tolerance
from rpool.model.server import Fleet, Role
from rpool.model.view import PoolView
from rpool_provider import diagnostic
from rpool_provider.resources import cluster_private, cluster_state
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.resource import Held, Plan, Values
from rpool_provider.wire.unknown import UNKNOWN, Unknown


def half_out() -> tuple[Stage, PoolView, str]:
    """A cluster whose shrinking was cut off, and the server that is half out."""
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    target = stage.plan(view, SMALLER, SPEC)
    (leaving,) = target.leaving
    fault = Fault(act.Reset, CommandFailed("busy"), servers=leaving)
    with stage.faults(fault), pytest.raises(PoolIncomplete) as caught:
        stage.site.change_pool(view, SMALLER, target.roles, stage.attempt())
    assert caught.value.view is not None
    return stage, caught.value.view, leaving


def held(view: PoolView, **more: object) -> Held:
    return Held(cluster_state.with_view(cluster_state.configuration(SPEC), view) | more)


def test_a_protected_cluster_is_not_deleted_by_a_replacement_either() -> None:
    stage, view, _ = half_out()
    before = stage.claimed()
    with pytest.raises(SpecError, match="protected from deletion"):
        Cluster().delete(held(view, deletion_protection=True), stage.site, threading.Event())
    assert stage.claimed() == before


def test_a_cluster_that_never_came_to_be_is_deleted_in_spite_of_protection() -> None:
    stage = Stage(12)
    fault = Fault(act.Init, CommandFailed("no"))
    with stage.faults(fault), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert caught.value.view is not None
    prior = held(caught.value.view, deletion_protection=True)
    assert Cluster().delete(prior, stage.site, threading.Event()).held.values is None
    assert stage.claimed() == set()


def test_who_is_half_out_stays_known_when_a_read_has_no_contact() -> None:
    stage, view, leaving = half_out()
    stage.open()
    good = Cluster().read(held(view), stage.site)
    assert cluster_private.decode(good.held.private).leaving == {leaving}
    for name in with_role(view, Role.CONTROL_PLANE):
        stage.machine(name).powered = False
    stage.open()
    silent = Cluster().read(good.held, stage.site)
    assert silent.diagnostics
    assert silent.held.private == good.held.private
    assert silent.held.values == {**(good.held.values or {}), "condition": "unreachable"}


def test_a_change_that_the_state_was_never_told_of_shows_in_a_read() -> None:
    """As when the plugin is killed, or the state cannot be saved, after all was done."""
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    state = held(view, timeouts={"create": "50m", "update": None, "delete": None})
    other = replace(
        SMALLER, metallb_pools={"default": ("10.0.1.240/29",)}, tolerate=Tolerance(servers=1)
    )
    stage.become(view, other)
    stage.open()
    values = Cluster().read(state, stage.site).held.values
    assert values is not None
    assert state.values is not None
    assert cluster_state.spec(values) == other
    same = values.keys() - {"cores", "memory", "metallb", "tolerate", "servers"}
    same -= {"allocated_cores", "allocated_memory"}
    assert {n: values[n] for n in same} == {n: state.values[n] for n in same}


def test_what_is_the_same_stays_as_it_was_written() -> None:
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    written = {"timeout": "600s", "on_timeout": "fail"}  # what is the default, too
    state = held(view, drain=written, selector={"zones": None, "labels": {}})
    stage.open()
    assert Cluster().read(state, stage.site).held.values == state.values


@pytest.mark.parametrize("after", [act.TakeClaim, act.Prepare, act.Init, act.Join])
def test_what_a_killed_create_left_is_imported_and_destroyed(after: type[act.Action]) -> None:
    """Terraform has no state of it, and no record is written: the kill comes before."""
    stage = Stage(12)
    late = Fault(act.WriteRecord, Unreachable("killed"), sure=False)
    with stage.faults(late), killed(stage, after):
        stage.site.create_pool(SPEC, stage.attempt())
    assert stage.claimed()
    reply = Cluster().import_("batch", stage.site)
    assert "only leftovers of cluster" in reply.diagnostics[0].summary
    values = reply.held.values
    assert values is not None
    assert set(values["servers"]) == stage.claimed()
    read = Cluster().read(reply.held, stage.site).held
    assert read.values == values
    assert Cluster().delete(read, stage.site, threading.Event()).held.values is None
    assert stage.claimed() == set()


@pytest.mark.parametrize("remains", ["a killed create", "its first control plane is off"])
def test_remains_are_imported_whatever_else_is_dead_once_that_is_marked_lost(remains: str) -> None:
    stage = Stage(12)
    with killed(stage, act.Prepare):
        stage.site.create_pool(SPEC, stage.attempt())
    dead = "r3u11"  # a spare
    if remains != "a killed create":
        control_planes = [
            n
            for n in stage.claimed()
            if stage.machine(n).claim.role is Role.CONTROL_PLANE  # type: ignore[union-attr]
        ]
        dead = sorted(control_planes)[0]
    stage.machine(dead).powered = False
    with pytest.raises(Unreachable, match="its API answers on none of them") as caught:
        Cluster().import_("batch", stage.site)
    assert dead in caught.value.detail
    assert "lost = true" in caught.value.detail
    stage.mark(dead, lost=True)
    values = Cluster().import_("batch", stage.site).held
    assert Cluster().delete(values, stage.site, threading.Event()).held.values is None
    assert stage.claimed() <= {dead}


@pytest.mark.parametrize("api", ["gone", "without a record"])
def test_what_a_killed_destroy_or_an_unrecorded_create_left_is_imported(api: str) -> None:
    """All servers are members by then, and the state is lost. Where the API still serves, the
    operator has to say that this is no living cluster that has lost its record.
    """
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    for name in view.control_planes:
        if api == "gone":
            stage.machine(name).reset()
    if api != "gone":
        stage.cluster(view).record = None
        stage.open()
        with pytest.raises(Unreachable, match="its API answers on none of them") as caught:
            Cluster().import_(view.uid, stage.site)
        assert "mark them lost = true" in caught.value.detail
        for name in view.control_planes:
            stage.mark(name, lost=True)
    stage.open()
    held_now = Cluster().import_(view.uid, stage.site).held
    assert Cluster().delete(held_now, stage.site, threading.Event()).held.values is None
    assert stage.claimed() == set()


def test_nothing_is_imported_for_the_end_while_a_claim_is_lost() -> None:
    """It may be that of the control plane."""
    stage = Stage(12)
    view = stage.site.create_pool(ONE, stage.attempt())
    stage.machine(view.control_planes[0]).claim = None
    with pytest.raises(Unreachable, match="its API answers on none of them"):
        Cluster().import_(view.uid, stage.site)


@pytest.mark.parametrize("fleet", ["lacks the last server", "is another site's"])
def test_a_cluster_that_the_fleet_lacks_is_an_error_and_not_gone(fleet: str) -> None:
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    state, missing = held(view), sorted(view.servers)
    if fleet == "lacks the last server":
        missing = missing[:1]
        stage.machine(missing[0]).powered = False
        with pytest.raises(PoolIncomplete) as caught:
            stage.site.destroy_pool(view, stage.attempt())
        assert caught.value.view is not None
        state = held(caught.value.view)
    kept = {n: s for n, s in stage.site.config.fleet.servers.items() if n not in missing}
    stage.open(Fleet(kept))
    with pytest.raises(Refused, match=f"cluster batch has {', '.join(missing)}, which") as refused:
        Cluster().read(state, stage.site)
    assert "put it back with lost = true" in refused.value.detail
    uid = view.uid
    with pytest.raises(Refused, match=f"cluster {uid} has {missing[0]}, which"):
        stage.site.read_node(uid, missing[0])
    with pytest.raises(Refused, match=f"cluster {uid} has {missing[0]}, which"):
        stage.site.unpin_node(uid, missing[0], stage.attempt())


def test_nothing_is_imported_for_the_end_while_a_server_does_not_answer() -> None:
    """Its control plane may be the one that has the record."""
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    for name in view.control_planes:
        stage.machine(name).powered = False
    (worker, *_) = with_role(view, Role.WORKER)
    claim = stage.machine(worker).claim
    assert claim is not None
    stage.machine(worker).claim = replace(claim, phase=Phase.BOOTSTRAPPING)
    stage.open()
    with pytest.raises(Unreachable, match="its API answers on none of them"):
        Cluster().import_(view.uid, stage.site)


def planned(changes: Values, state: Values | None = None) -> Plan:
    """Plans a settled cluster with the configuration that made it, but for `changes`."""
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    prior = held(view, **(state or {}))
    config = cluster_state.configuration(SPEC) | changes
    computed = [
        attribute.name for attribute in CLUSTER.root.attributes if not attribute.configurable
    ]
    return Cluster().plan(prior, config | dict.fromkeys(computed), stage.site)


@pytest.mark.parametrize("unknown", [UNKNOWN, Unknown(b"not null, and that is all")])
def test_an_object_that_is_not_known_yet_may_replace(unknown: Unknown) -> None:
    assert planned({}).replaces == []
    replaced = planned({"control_plane": unknown}).replaces
    assert ("control_plane", "endpoint", "vip") in replaced


def test_a_certificate_that_is_yet_to_come_is_unknown() -> None:
    whole, cut_off = planned({}).values, planned({}, {"ca_certificate": ""}).values
    assert whole is not None
    assert cut_off is not None
    assert "BEGIN CERTIFICATE" in whole["ca_certificate"]
    assert cut_off["ca_certificate"] is UNKNOWN


def test_protection_counts_from_the_edit_that_sets_it() -> None:
    with pytest.raises(SpecError, match="protected from deletion"):
        planned({"name": "other", "deletion_protection": True})


def test_nothing_and_an_empty_object_are_the_same_kubeadm() -> None:
    empty = {"kubelet": None, "kube_proxy": None, "ignore_preflight_errors": None}
    assert planned({"kubeadm": empty}).replaces == []
    with pytest.raises(SpecError, match="rpool cannot"):
        planned({"kubeadm": empty | {"kubelet": "maxPods: 50\n"}})


KUBEADM = {"kubelet": "maxPods: 50\n", "kube_proxy": None, "ignore_preflight_errors": None}
REQUEST = [attribute.name for attribute in CLUSTER.root.attributes if attribute.configurable]


@pytest.mark.parametrize("unknown", REQUEST)
@pytest.mark.parametrize(
    "edit", [{}, {"deletion_protection": True}, {"name": "other"}, {"kubeadm": KUBEADM}]
)
def test_no_message_shows_how_an_unknown_value_is_kept(unknown: str, edit: Values) -> None:
    refined = Unknown(b"not null, and that is all")
    try:
        diagnostics = planned(edit | {unknown: refined}).diagnostics
    except SpecError as error:
        diagnostics = diagnostic.of_error(error)
    texts = [text for message in diagnostics for text in (message.summary, message.detail)]
    assert not any("Unknown" in text or "refinements" in text for text in texts), texts


def test_an_unknown_value_in_a_sentence_reads_as_terraform_puts_it() -> None:
    assert f"pool {Unknown(b'refined')} is" == "pool (known after apply) is"


@pytest.mark.parametrize("condition", [None, "", "expiring"])
def test_a_state_whose_condition_is_not_known_here_is_read_and_planned(
    condition: str | None,
) -> None:
    """An older version's has none, a newer one's may have a word of its own."""
    stage = Stage(12)
    state = held(stage.site.create_pool(SPEC, stage.attempt()), condition=condition)
    stage.open()
    values = Cluster().read(state, stage.site).held.values
    assert values is not None
    assert values["condition"] == "settled"
    assert planned({"cores": 24, "memory": 48}, {"condition": condition}).values is not None


def test_a_state_without_a_condition_outlasts_a_read_without_contact() -> None:
    stage = Stage(12)
    view = stage.site.create_pool(SPEC, stage.attempt())
    for name in view.control_planes:
        stage.machine(name).powered = False
    stage.open()
    values = Cluster().read(held(view, condition=None), stage.site).held.values
    assert values is not None
    assert values["condition"] == "unreachable"  # which does not say that it is whole either
