"""One particular server in a pool, on modelled servers that keep the real rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import SPEC, Stage
from test_change import settled, touched

from rpool.api import NodeRequest, PoolIncomplete
from rpool.errors import CommandFailed, Refused
from rpool.model import action as act
from rpool.model.pool import NodeSpec, Taint
from rpool.model.server import Role
from rpool.model.view import PoolView

GPU = NodeSpec({"accelerator": "h100"}, (Taint("gpu", "true", "NoSchedule"),))
SERVER = "r3u08"


def made() -> tuple[Stage, PoolView, NodeRequest]:
    stage = Stage(12)
    stage.mark(SERVER, reserved=True)
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.world.acted.clear()
    return stage, view, NodeRequest(view.uid, SERVER, GPU)


def test_a_pinned_server_is_in_the_cluster_and_outside_of_its_sizing() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    assert touched(stage) == {SERVER}
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    assert stage.site.read_pool(view).view == view
    (join,) = [action for action in stage.world.acted if isinstance(action, act.Join)]
    assert join.taints == GPU.taints
    shrunk = replace(SPEC, cores=8, memory_gib=16)
    assert SERVER not in stage.plan(view, shrunk, SPEC).roles
    after = stage.become(view, shrunk)
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.world.probe(SERVER).is_spare
    settled(stage, after, shrunk)


def test_labels_and_taints_change_in_place() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    stage.world.acted.clear()
    other = NodeSpec({"accelerator": "b200"}, ())
    stage.site.pin_node(replace(request, spec=other), stage.attempt())
    assert touched(stage) == set()
    (dressed,) = [action for action in stage.world.acted if isinstance(action, act.SetNode)]
    assert (dressed.was, dressed.wanted) == (GPU, other)
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
    stage.world.broken[act.Join, SERVER] = CommandFailed("no")
    with pytest.raises(PoolIncomplete, match="no"):
        stage.site.pin_node(request, stage.attempt())
    stage.world.broken.clear()
    stage.site.pin_node(request, stage.attempt())
    assert stage.site.read_node(view.uid, SERVER).spec == GPU
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    settled(stage, view, SPEC)


def test_what_a_failed_pin_left_can_be_unpinned() -> None:
    stage, view, request = made()
    stage.world.broken[act.Join, SERVER] = CommandFailed("no")
    with pytest.raises(PoolIncomplete):
        stage.site.pin_node(request, stage.attempt())
    stage.world.broken.clear()
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    assert stage.world.probe(SERVER).is_spare
    settled(stage, view, SPEC)


def test_a_server_of_the_pool_itself_is_not_pinned() -> None:
    stage, view, request = made()
    own = next(name for name, its in view.servers.items() if its.role is Role.WORKER)
    with pytest.raises(Refused, match=f"{own} is one of pool batch's own servers"):
        stage.site.pin_node(replace(request, server=own), stage.attempt())


def test_a_pool_amid_a_change_takes_no_server() -> None:
    stage, view, request = made()
    bigger = replace(SPEC, cores=24, memory_gib=48)
    target = stage.plan(view, bigger, SPEC)
    (joining,) = target.joining
    stage.world.broken[act.Join, joining] = CommandFailed("no")
    with pytest.raises(PoolIncomplete):
        stage.site.change_pool(view, bigger, target.roles, stage.attempt())
    with pytest.raises(Refused, match="in the middle of a change"):
        stage.site.pin_node(request, stage.attempt())


def test_a_pool_with_a_pinned_server_is_not_destroyed_around_it() -> None:
    stage, view, request = made()
    stage.site.pin_node(request, stage.attempt())
    with pytest.raises(Refused, match=f"still has {SERVER}, put there by rpool_node"):
        stage.site.destroy_pool(view, stage.attempt())
    stage.site.unpin_node(view.uid, SERVER, stage.attempt())
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.claimed() == set()
