"""A cluster that no longer fits its fleet: it gets no server, and is mended all the same."""

from __future__ import annotations

import threading

import pytest
from worlds.stage import SPEC, Stage, made, with_role

from rpool.errors import DoesNotFit
from rpool.model.server import Role
from rpool.model.view import PoolView
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.cluster_state import configuration, with_view
from rpool_provider.resources.resource import Held

CONFIG = {**dict.fromkeys(a.name for a in CLUSTER.root.attributes), **configuration(SPEC)}
WARNING = "no longer fits the fleet: no server joins it"


def state(view: PoolView) -> Held:
    return Held(with_view(CONFIG, view))


def applied(stage: Stage, held: Held) -> tuple[Held, bool]:
    """The state after a refresh, a plan that warns, and its apply; and whether that was empty."""
    stage.open()
    resource = Cluster()
    read = resource.read(held, stage.site)
    planned = resource.plan(read.held, CONFIG, stage.site)
    assert [diagnostic for diagnostic in planned.diagnostics if WARNING in diagnostic.summary]
    if planned.values == read.held.values:
        return read.held, True
    after = Held(planned.values, planned.private)
    reply = resource.update(read.held, after, stage.site, threading.Event())
    assert [diagnostic.summary for diagnostic in reply.diagnostics if diagnostic.is_error] == []
    return reply.held, False


def test_a_lost_worker_is_forgotten_at_once() -> None:
    stage, view = made(5)
    lost = with_role(view, Role.WORKER)[0]
    stage.machine(lost).powered = False
    stage.mark(lost, lost=True)
    held, _ = applied(stage, state(view))
    assert held.values is not None
    assert held.values["servers"].keys() == view.servers.keys() - {lost}
    assert lost not in stage.cluster(view).nodes
    assert applied(stage, held)[1]


def test_a_lost_control_plane_leaves_etcd() -> None:
    stage, view = made(5)
    control_plane, lost, _ = view.control_planes
    stage.machine(lost).powered = False
    stage.mark(lost, lost=True)
    held, _ = applied(stage, state(view))
    assert {member.name for member in stage.world.etcd_members(control_plane)} == set(
        view.control_planes
    ) - {lost}
    assert applied(stage, held)[1]


def test_what_else_is_wrong_with_it_is_mended() -> None:
    """A control plane was reinstalled, and a worker is to retire, with no server to replace it."""
    stage, view = made(5)
    control_plane, reinstalled, _ = view.control_planes
    stage.machine(reinstalled).reset()
    retires = with_role(view, Role.WORKER)[0]
    stage.mark(retires, retire=True)
    held, _ = applied(stage, state(view))
    assert held.values is not None
    assert held.values["condition"] == "settled"
    assert retires in held.values["servers"]
    assert all(member.healthy for member in stage.world.etcd_members(control_plane))


def test_it_fits_again_once_a_member_is_back() -> None:
    stage, view = made(6)
    lost = with_role(view, Role.WORKER)[0]
    stage.machine(lost).powered = False
    stage.mark(lost, lost=True)
    grown = stage.become(view, SPEC)
    stage.machine(lost).give_power()
    stage.mark(lost, lost=False)
    other = next(iter(grown.servers.keys() - view.servers.keys()))
    stage.mark(other, retire=True)
    held, _ = applied(stage, state(grown))
    assert stage.machine(lost).claim is None
    stage.open()
    read = Cluster().read(held, stage.site)
    planned = Cluster().plan(read.held, CONFIG, stage.site)
    assert planned.values is not None
    assert lost in planned.values["servers"]
    assert other not in planned.values["servers"]


def test_one_that_has_no_control_plane_left_is_an_error() -> None:
    stage, view = made(5)
    for name in view.control_planes:
        stage.mark(name, lost=True)
    held = state(view)
    stage.open()
    with pytest.raises(DoesNotFit):
        Cluster().plan(held, CONFIG, stage.site)
