"""One particular server in a cluster, on modelled servers that keep the real rules."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from worlds.expect import kinds, settled, touched
from worlds.fault import Fault, Observe
from worlds.stage import BIGGER, FOREIGN, SMALLER, SPEC, Stage, killed

from rpool.api import NodeRequest, PoolIncomplete
from rpool.certificates import ca_pin
from rpool.errors import (
    CommandFailed,
    ForeignClaim,
    Interrupted,
    Refused,
    RpoolError,
    StalePlan,
    Unreachable,
)
from rpool.model import action as act
from rpool.model.pool import NodeSpec, Taint
from rpool.model.server import Fleet, Role
from rpool.model.view import Condition, PoolView
from rpool_provider.resources.node import _PLACE, Node
from rpool_provider.resources.node_schema import NODE
from rpool_provider.resources.resource import Held, Values
from rpool_provider.wire.unknown import Unknown

GPU = NodeSpec({"accelerator": "h100"}, (Taint("gpu", "true", "NoSchedule"),))
SERVER = "r3u08"


NO = Fault(act.Join, CommandFailed("no"), servers=SERVER)


def made() -> tuple[Stage, PoolView, NodeRequest]:
    stage = Stage(12)
    stage.mark(SERVER, reserved=True)
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.acted.clear()
    return stage, view, NodeRequest(view.uid, SERVER, GPU)


def test_a_pinned_server_is_in_the_cluster_and_outside_of_its_sizing() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    assert touched(stage) == {SERVER}
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    assert stage.site.read_pool(view).view == view
    (join,) = [action for action in stage.acted if isinstance(action, act.Join)]
    assert join.taints == GPU.taints
    assert SERVER not in stage.plan(view, SMALLER, SPEC).roles
    after = stage.become(view, SMALLER)
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.world.probe(SERVER).is_spare
    settled(stage, after, SMALLER)


def test_labels_and_taints_change_in_place() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    stage.acted.clear()
    other = NodeSpec({"accelerator": "b200"}, ())
    stage.site.pin_node(replace(request, spec=other), stage.attempt())
    assert touched(stage) == set()
    (action,) = [action for action in stage.acted if isinstance(action, act.SetNode)]
    assert (action.was, action.wanted) == (GPU, other)
    assert stage.site.read_node(view.uid, SERVER).spec == other


def test_another_process_finds_the_pool_by_its_uid_alone() -> None:
    stage, view, request = made()
    stage.open()
    stage.site.pin_node(request, stage.attempt())
    stage.open()
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    stage.open()
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.site.read_node(view.uid, SERVER).spec is None


def test_a_pin_that_failed_is_taken_back_or_tried_again() -> None:
    stage, view, request = made()
    with stage.faults(NO), pytest.raises(PoolIncomplete, match="no"):
        stage.site.pin_node(request, stage.attempt())
    stage.site.pin_node(request, stage.attempt())
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    settled(stage, view, SPEC)


def test_what_a_failed_pin_left_can_be_unpinned() -> None:
    stage, view, request = made()
    with stage.faults(NO), pytest.raises(PoolIncomplete):
        stage.site.pin_node(request, stage.attempt())
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.world.probe(SERVER).is_spare
    settled(stage, view, SPEC)


def test_a_server_of_the_pool_itself_is_not_pinned() -> None:
    stage, view, request = made()
    own = next(name for name, member in view.servers.items() if member.role is Role.WORKER)
    with pytest.raises(Refused, match=f"{own} is one of cluster batch's own servers"):
        stage.site.pin_node(replace(request, server=own), stage.attempt())


def test_a_pin_and_an_unpin_amid_a_change_leave_it_as_it_is() -> None:
    stage, view, request = made()
    target = stage.plan(view, BIGGER, SPEC)
    (joining,) = target.joining
    with stage.faults(Fault(act.Join, CommandFailed("no"), servers=joining)):
        with pytest.raises(PoolIncomplete) as caught:
            stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
        assert caught.value.view is not None
        stage.site.pin_node(request, stage.attempt())
        halfway = stage.site.read_pool(caught.value.view)
        assert halfway.view == caught.value.view
        assert halfway.joining == {joining}
        stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    settled(stage, stage.become(halfway.view, BIGGER), BIGGER)


def test_a_pool_with_a_pinned_server_is_not_destroyed_around_it() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    with pytest.raises(Refused, match=f"still has {SERVER}, put there by rpool_node"):
        stage.site.destroy_pool(view, stage.attempt())
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.claimed() == set()


def test_a_pools_own_servers_are_not_taken_out_as_nodes() -> None:
    stage, view, _ = made()
    for own in view.servers:
        with pytest.raises(Refused, match=f"{own} is one of cluster batch's own servers"):
            stage.site.unpin_node(view.uid, own, stage.attempt())
    assert stage.acted == []


def test_labels_that_somebody_took_away_are_put_back() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    stage.cluster(view).labelled[SERVER] = NodeSpec()
    assert stage.site.read_node(view.uid, SERVER).spec == NodeSpec()
    stage.site.pin_node(request, stage.attempt())
    assert stage.site.read_node(view.uid, SERVER).spec == GPU


def test_labels_that_could_not_be_set_are_tried_again() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    other = replace(request, spec=NodeSpec({"accelerator": "b200"}, (Taint("x", "", "NoExecute"),)))
    with (
        stage.faults(Fault(act.SetNode, CommandFailed("no"))),
        pytest.raises(PoolIncomplete),
    ):
        stage.site.pin_node(other, stage.attempt())
    stage.site.pin_node(other, stage.attempt())
    assert stage.cluster(view).labelled[SERVER] == other.spec


def test_a_read_says_whether_a_node_is_gone_or_just_out_of_sight() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    stage.open()
    for name in view.servers:
        stage.machine(name).powered = False
    assert stage.site.read_node(view.uid, SERVER).unreachable
    stage.open()
    for machine in stage.world.machines.values():
        machine.powered = True
        machine.reset()
    node = stage.site.read_node(view.uid, SERVER)
    assert (node.spec, node.unreachable) == (None, False)
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())  # there is nothing to do


def test_a_node_whose_fleet_entry_is_gone_is_an_error_with_what_to_do() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    fleet = {n: s for n, s in stage.site.config.fleet.servers.items() if n != SERVER}
    stage.open(Fleet(fleet))
    stage.machine(SERVER).powered = False
    with pytest.raises(Unreachable, match=f"{SERVER} is to leave, but cannot be reached"):
        stage.site.unpin_node(view.uid, SERVER, stage.attempt())


def test_a_dead_half_pinned_server_does_not_hold_up_the_cluster() -> None:
    stage, view, request = made()
    with stage.faults(NO), pytest.raises(PoolIncomplete):
        stage.site.pin_node(request, stage.attempt())
    stage.machine(SERVER).powered = False
    assert stage.become(view, BIGGER).condition is Condition.SETTLED


@pytest.mark.parametrize("then", ["wiped", "as it was"])
def test_a_server_that_was_lost_and_comes_back_can_be_put_in_again(then: str) -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    stage.machine(SERVER).powered = False
    stage.mark(SERVER, lost=True)
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    record = stage.cluster(view).record
    assert record is not None
    assert SERVER not in record.members
    stage.machine(SERVER).powered = True
    if then == "wiped":
        stage.machine(SERVER).reset()
    stage.mark(SERVER, lost=False)
    stage.acted.clear()
    stage.site.pin_node(request, stage.attempt())
    assert kinds(stage.acted, act.Reset, act.Join) == ["Reset", "Join"][then == "wiped" :]
    assert stage.site.read_node(view.uid, SERVER).spec == GPU


def test_waiting_for_another_operation_of_this_process_ends_when_asked_to_stop() -> None:
    stage, view, request = made()
    stop = threading.Event()
    stop.set()
    with (
        stage.site._in_use.alone(view.uid, stage.attempt()),
        pytest.raises(Interrupted, match="stopped on request"),
    ):
        stage.site.pin_node(request, stage.attempt(stop=stop))


OTHER = NodeSpec(
    {"accelerator": "b200", "b": "x"},
    (*GPU.taints, Taint("maintenance", "", "NoExecute")),
)


@pytest.mark.parametrize("after", [act.WriteRecord, act.SetNode])
def test_what_a_killed_update_has_put_on_a_node_shows_and_is_taken_off(
    after: type[act.Action],
) -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    other = replace(request, spec=OTHER)
    with killed(stage, after):
        stage.site.pin_node(other, stage.attempt())
    spec = stage.site.read_node(view.uid, SERVER).spec
    assert spec == (GPU if after is act.WriteRecord else OTHER)
    stage.site.pin_node(request, stage.attempt())
    cluster = stage.machine(view.control_planes[0]).cluster
    assert cluster is not None
    node = stage.world.observe(view.control_planes[0]).nodes[SERVER]
    assert node.labels.items() >= GPU.labels.items()
    assert "b" not in node.labels
    assert node.taints == GPU.taints
    assert stage.site.read_node(view.uid, SERVER).spec == GPU


ENDS = [act.Drain, act.SetPhase, act.Reset, act.DeleteNode]


def cut_off_end(after: type[act.Action]) -> tuple[Stage, PoolView, NodeRequest]:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    with killed(stage, after):
        stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    return stage, view, request


def state_of(view: PoolView) -> Held:
    values = dict.fromkeys(attribute.name for attribute in NODE.root.attributes)
    place = {"address": "10.0.1.18", "zone": "rack3", "cores": 8, "memory": 16}
    labels = {"labels": dict(GPU.labels), "taint": [vars_of(taint) for taint in GPU.taints]}
    names = {"cluster": view.uid, "server": SERVER, "id": f"{view.uid}/{SERVER}"}
    return Held({**values, **place, **labels, **names})


def vars_of(taint: Taint) -> dict[str, str]:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect}


@pytest.mark.parametrize("after", ENDS)
def test_a_node_whose_end_was_cut_off_stays_in_the_state_until_it_is_out(
    after: type[act.Action],
) -> None:
    stage, view, _ = cut_off_end(after)
    read = Node().read(state_of(view), stage.site).held
    assert read.values is not None
    Node().delete(read, stage.site, threading.Event())
    assert stage.world.probe(SERVER).is_spare
    assert Node().read(read, stage.site).held.values is None
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.claimed() == set()


@pytest.mark.parametrize("after", ENDS)
def test_a_node_whose_end_was_cut_off_is_imported_as_the_error_of_its_cluster_says(
    after: type[act.Action],
) -> None:
    stage, view, _ = cut_off_end(after)
    stage.open()
    imported = Node().import_(f"{view.uid}/{SERVER}", stage.site).held
    Node().delete(imported, stage.site, threading.Event())
    assert stage.world.probe(SERVER).is_spare


@pytest.mark.parametrize("after", ENDS)
def test_a_node_whose_end_was_cut_off_goes_along_with_its_cluster(
    after: type[act.Action],
) -> None:
    """Its own end was asked for before that of its cluster."""
    stage, view, _ = cut_off_end(after)
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.claimed() == set()


@pytest.mark.parametrize("after", [act.TakeClaim, act.Join, *ENDS])
def test_a_node_that_is_half_in_or_half_out_is_an_update_that_puts_it_in(
    after: type[act.Action],
) -> None:
    if after in ENDS:
        stage, view, request = cut_off_end(after)
    else:
        stage, view, request = made()
        with killed(stage, after):
            stage.site.pin_node(request, stage.attempt())
    state = Node().read(state_of(view), stage.site).held
    assert state.values is not None
    config = {n: v for n, v in state.values.items() if n not in ("id", *_PLACE)}
    config |= dict.fromkeys(("id", *_PLACE))
    config |= {"labels": dict(GPU.labels), "taint": [vars_of(taint) for taint in GPU.taints]}
    plan = Node().plan(state, config, stage.site)
    assert plan.values is not None
    assert isinstance(plan.values["zone"], Unknown)
    assert "partially joined" in " ".join(diagnostic.summary for diagnostic in plan.diagnostics)
    planned = Held(plan.values, plan.private)
    updated = Node().update(state, planned, stage.site, threading.Event())
    assert updated.diagnostics == []
    assert updated.held.values is not None
    assert updated.held.values["zone"] == "rack3"
    assert stage.world.observe(view.control_planes[0]).nodes[SERVER].schedulable
    refreshed = Node().read(updated.held, stage.site).held
    assert Node().plan(refreshed, config, stage.site).values == refreshed.values


@pytest.mark.parametrize("after", [act.SetPhase, act.Reset, act.DeleteNode])
def test_a_node_whose_end_was_cut_off_can_be_put_in_again(after: type[act.Action]) -> None:
    stage, view, request = cut_off_end(after)
    stage.site.pin_node(request, stage.attempt())
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    assert stage.world.observe(view.control_planes[0]).nodes[SERVER].ready
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.world.probe(SERVER).is_spare


def test_a_node_that_never_got_in_goes_along_with_its_cluster() -> None:
    """Its create was killed, so no state has it."""
    stage, view, request = made()
    with killed(stage, act.TakeClaim):
        stage.site.pin_node(request, stage.attempt())
    assert SERVER in stage.claimed()
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.claimed() == set()


def test_a_node_that_is_in_already_is_not_taken_over_by_a_second_one() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt(), is_new=True)
    stage.open()
    with pytest.raises(Refused, match="put there by another rpool_node") as caught:
        stage.site.pin_node(replace(request, spec=OTHER), stage.attempt(), is_new=True)
    assert f"rpool_node.NAME {view.uid}/{SERVER}" in caught.value.detail
    assert stage.site.read_node(view.uid, SERVER).spec == GPU


@pytest.mark.parametrize("api", ["refused", "slow", "record unread"])
def test_a_node_s_end_resets_nothing_while_its_cluster_s_api_may_come_back(api: str) -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    stage.acted.clear()
    error = {
        "refused": CommandFailed("no API is served"),
        "slow": Unreachable("slow"),
        "record unread": CommandFailed("record unread"),
    }[api]
    with (
        stage.faults(Fault(Observe, error, servers=view.control_planes)),
        pytest.raises(Unreachable, match=f"{SERVER} stays in cluster batch") as caught,
    ):
        stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.acted == []
    assert "lost = true" in caught.value.detail
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert any(isinstance(action, act.Drain) for action in stage.acted)


@pytest.mark.parametrize("api", ["marked lost", "re-installed"])
def test_a_node_is_given_back_when_its_cluster_is_gone_for_good(api: str) -> None:
    """Terraform destroys it before the cluster: if it could not go, nothing could."""
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    for name in view.control_planes:
        if api == "re-installed":
            stage.machine(name).reset()
        else:
            stage.machine(name).powered = False
            stage.mark(name, lost=True)
    stage.open()
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.world.probe(SERVER).is_spare
    stage.open()
    stage.site.destroy_pool(view, stage.attempt())
    lost = set(view.control_planes) if api == "marked lost" else set()
    assert stage.claimed() == lost


def test_a_node_stays_while_its_cluster_may_only_be_out_of_reach() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    for name in view.control_planes:
        stage.machine(name).powered = False
    for known in (True, False):
        if not known:
            stage.open()
        with pytest.raises(Unreachable):
            stage.site.unpin_node(view.uid, SERVER, stage.attempt())
        assert SERVER in stage.claimed()


def test_a_label_that_is_null_stays_as_it_was_written() -> None:
    stage, view, _ = made()
    values: Values = {
        "cluster": view.uid,
        "server": SERVER,
        "cluster_ca_pin": ca_pin(view.ca_certificate),
        "id": f"{view.uid}/{SERVER}",
        "labels": {"a": "1", "b": None},
        "taint": [],
        "timeouts": None,
    }
    created = Node().create(Held(values), stage.site, threading.Event()).held
    assert created.values == values
    assert Node().read(created, stage.site).held.values == values


@pytest.mark.parametrize("mark", ["retire", "lost"])
def test_a_mark_in_the_fleet_does_not_let_a_node_go_and_the_plan_says_so(mark: str) -> None:
    stage, view, _ = made()
    config = {
        **dict.fromkeys(attribute.name for attribute in NODE.root.attributes),
        "cluster": view.uid,
        "server": SERVER,
    }
    assert Node().plan(Held(None), config, stage.site).diagnostics == []
    stage.mark(SERVER, **{mark: True})
    (warning,) = Node().plan(Held(None), config, stage.site).diagnostics
    assert (
        warning.summary
        == f"{SERVER} is marked {mark} = true in the fleet, and stays in its cluster"
    )


def test_a_node_stays_while_its_pool_may_have_moved() -> None:
    """Its control planes are gone; a silent server may have taken their place."""
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    first, *others = view.control_planes
    stage.machine(first).reset()
    for name in others:
        stage.machine(name).powered = False
        stage.mark(name, lost=True)
    (silent, *_) = stage.world.machines.keys() - view.servers.keys() - {SERVER}
    stage.machine(silent).powered = False
    stage.site._in_use.see(view)
    with pytest.raises(Unreachable, match="stays in cluster batch") as caught:
        stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert silent in caught.value.detail
    assert SERVER in stage.claimed()
    stage.machine(silent).powered = True
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.world.probe(SERVER).is_spare


def test_a_node_is_no_server_of_the_pool_s_own_even_if_it_is_reserved_no_more() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    stage.mark(SERVER, reserved=False)
    assert "rpool_node" in stage.site.read_pool(view).offer.taken[SERVER]
    roles = {name: member.role for name, member in view.servers.items()} | {SERVER: Role.WORKER}
    with pytest.raises(StalePlan, match=f"{SERVER} became an rpool_node's"):
        stage.site.change_pool(view, SPEC, roles, stage.attempt())


@pytest.mark.parametrize("why", ["claimed", "claimed meanwhile", "silent"])
def test_what_helps_a_node_whose_server_is_not_to_be_had_is_no_other_plan(why: str) -> None:
    """A cluster's own plan picks another server; an rpool_node never does."""
    stage, _view, request = made()
    if why == "claimed":
        stage.machine(SERVER).claim = FOREIGN
    elif why == "silent":
        stage.machine(SERVER).powered = False
    theirs = ForeignClaim(f"{SERVER} is claimed by cluster two")
    meanwhile = Fault(act.TakeClaim, theirs, sure=why == "claimed meanwhile")
    with stage.faults(meanwhile), pytest.raises((RpoolError, PoolIncomplete)) as caught:
        stage.site.pin_node(request, stage.attempt(), is_new=True)
    assert f"{SERVER} was to join, but" in caught.value.summary or why == "silent"
    detail = caught.value.detail
    assert "lan again" not in detail
    assert "picked" not in detail and "pick another" not in detail
    assert "name another server in this rpool_node" in detail
