"""A cluster that a newer rpool has worked on: every verb says so, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from worlds.fault import Fault, Observe
from worlds.stage import BIGGER, SPEC, Stage, killed, made

from rpool.config import NodeRequest
from rpool.errors import NewerFormat
from rpool.model.action import Action, ApplyMetalLB, WriteRecord
from rpool.model.pool import NodeSpec
from rpool.model.view import PoolView

NEWER = NewerFormat("the record has format 2: a newer rpool wrote it", "Use the newer version.")
PINNED = "r2u07"
OTHER = "r3u08"
NODE = NodeSpec({"gpu": "h100"})


def request(view: PoolView, server: str) -> NodeRequest:
    return NodeRequest(view.uid, server, NODE)


Verb = Callable[[Stage, PoolView], object]

VERBS: dict[str, Verb] = {
    "read": lambda stage, view: stage.site.read_pool(view),
    "change": lambda stage, view: stage.site.change_pool(
        view, BIGGER, {n: member.role for n, member in view.servers.items()}, stage.attempt()
    ),
    "destroy": lambda stage, view: stage.site.destroy_pool(view, stage.attempt()),
    "pin": lambda stage, view: stage.site.pin_node(request(view, OTHER), stage.attempt()),
    "unpin": lambda stage, view: stage.site.unpin_node(view.uid, PINNED, stage.attempt()),
    "read a node": lambda stage, view: stage.site.read_node(view.uid, PINNED),
}


@pytest.fixture(scope="module")
def there() -> tuple[Stage, PoolView]:
    stage, view = made()
    stage.mark(PINNED, reserved=True)
    stage.mark(OTHER, reserved=True)
    stage.site.pin_node(request(view, PINNED), stage.attempt())
    return stage, view


@pytest.mark.parametrize("only_the_first", [True, False])
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_newer_record_ends_every_verb(
    there: tuple[Stage, PoolView], verb: Verb, only_the_first: bool
) -> None:
    """Also where one control plane alone shows it: no other is asked instead."""
    stage, view = there
    stage.open()
    stage.acted.clear()
    servers = view.control_planes[0] if only_the_first else None
    with stage.faults(Fault(Observe, NEWER, servers=servers)), pytest.raises(NewerFormat) as caught:
        verb(stage, view)
    assert caught.value is NEWER
    assert stage.acted == []
    assert not caught.value.retryable


def test_a_newer_record_ends_an_import(there: tuple[Stage, PoolView]) -> None:
    stage, view = there
    stage.open()
    with stage.faults(Fault(Observe, NEWER)), pytest.raises(NewerFormat):
        stage.site.find_pool(view.uid)


@pytest.mark.parametrize("cut", [WriteRecord, ApplyMetalLB])
def test_a_create_takes_over_nothing_that_a_newer_one_has_left(cut: type[Action]) -> None:
    """It would be given back, or continued, by a version that does not understand it."""
    stage = Stage(9)
    with killed(stage, after=cut):
        stage.site.create_pool(SPEC, stage.attempt())
    stage.acted.clear()
    with stage.faults(Fault(Observe, NEWER)), pytest.raises(NewerFormat) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert caught.value is NEWER
    assert stage.acted == []
