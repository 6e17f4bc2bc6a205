"""Further groups of workers: sizes, labels and taints of their own, in one cluster."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from following import Desk
from worlds.fault import Fault
from worlds.stage import SPEC, Stage

from rpool.config import parse_pool, written
from rpool.errors import CommandFailed, DoesNotFit, SpecError
from rpool.model import action as act
from rpool.model.pool import Group, NodeSpec, PoolSpec, Selector, Taint, Tolerance
from rpool.model.record import Record
from rpool.reach.documents import read_record, record

H100 = {"accelerator": "h100"}
KEEP_OFF = Taint("gpu", "true", "NoSchedule")
GPU = Group(8, 16, selector=Selector(labels=H100), node=NodeSpec({"tier": "gpu"}, (KEEP_OFF,)))
BOXES = ("r1u09", "r2u10", "r3u11")


def with_groups(spec: PoolSpec = SPEC, **groups: Group) -> PoolSpec:
    return replace(spec, groups=groups)


@pytest.fixture
def desk() -> Desk:
    """Twelve servers, three of them with accelerators, and a cluster with a group of these."""
    stage = Stage(12)
    for name in BOXES:
        stage.mark(name, labels=H100)  # type: ignore[arg-type]
    desk = Desk(stage, with_groups(gpu=GPU))
    desk.is_whole()
    return desk


def of_group(desk: Desk, group: str = "gpu") -> set[str]:
    return {name for name, member in desk.view().servers.items() if member.group == group}


def apply(desk: Desk) -> list[str]:
    return desk.state.apply(desk.wanted, threading.Event()).errors


def test_a_group_has_servers_of_its_own_with_its_labels_and_taints(desk: Desk) -> None:
    (box,) = of_group(desk)
    assert box in BOXES
    assert not of_group(desk, "default") & set(BOXES)
    assert desk.stage.cluster(desk.view()).labelled[box] == NodeSpec(
        {"tier": "gpu", **H100}, (KEEP_OFF,)
    )
    claim = desk.stage.machine(box).claim
    assert claim is not None
    assert claim.group == "gpu"


def test_it_joins_with_its_taints_and_labels(desk: Desk) -> None:
    """No pod that is to run elsewhere starts there meanwhile."""
    desk.write(with_groups(gpu=replace(GPU, cores=16, memory_gib=32)))
    desk.stage.acted.clear()
    with desk.stage.faults(Fault(act.SetNode, CommandFailed("no API"), servers=None)):
        assert apply(desk) != []
    (join,) = [action for action in desk.stage.acted if isinstance(action, act.Join)]
    node = desk.stage.cluster(desk.view()).labelled[join.server]
    assert node == NodeSpec({"tier": "gpu", **H100}, (KEEP_OFF,))
    assert apply(desk) == []


def test_allocated_is_what_the_plain_sizes_have(desk: Desk) -> None:
    assert (desk.view().allocated_cores, desk.view().allocated_memory_gib) == (16, 32)
    assert desk.view().cores == 16


def test_a_group_grows_and_shrinks_and_no_other_server_moves(desk: Desk) -> None:
    plain, first = of_group(desk, "default"), of_group(desk)
    desk.write(with_groups(gpu=replace(GPU, cores=24, memory_gib=48)))
    desk.is_whole()
    assert of_group(desk) == set(BOXES)
    desk.write(with_groups(gpu=GPU))
    desk.is_whole()
    assert of_group(desk) < set(BOXES)
    assert of_group(desk, "default") == plain
    assert len(of_group(desk)) == len(first) == 1


def test_the_plain_size_grows_beside_a_group(desk: Desk) -> None:
    box = of_group(desk)
    desk.write(with_groups(replace(SPEC, cores=24, memory_gib=48), gpu=GPU))
    desk.is_whole()
    assert of_group(desk) == box
    assert desk.view().allocated_cores == 24


def test_a_group_comes_and_goes(desk: Desk) -> None:
    desk.write(SPEC)
    desk.is_whole()
    assert of_group(desk) == set()
    desk.write(with_groups(gpu=GPU, cache=Group(8, 16)))
    desk.is_whole()
    assert len(of_group(desk)) == len(of_group(desk, "cache")) == 1


def test_other_labels_of_a_group_move_nobody(desk: Desk) -> None:
    (box,) = of_group(desk)
    desk.write(with_groups(gpu=replace(GPU, node=NodeSpec({"level": "gpu"}))))
    desk.is_whole()
    assert of_group(desk) == {box}
    assert desk.stage.cluster(desk.view()).labelled[box] == NodeSpec({"level": "gpu", **H100})


def test_another_selector_of_a_group_moves_its_servers_alone(desk: Desk) -> None:
    plain = of_group(desk, "default")
    desk.write(with_groups(gpu=replace(GPU, selector=Selector())))
    desk.is_whole()
    (box,) = of_group(desk)
    assert box in BOXES  # the wider selector takes it too
    desk.mark("r1u06", labels={"accelerator": "b200"})
    desk.write(with_groups(gpu=replace(GPU, selector=Selector(labels={"accelerator": "b200"}))))
    desk.is_whole()
    assert of_group(desk) == {"r1u06"}
    assert of_group(desk, "default") == plain


def test_a_dead_one_is_replaced_by_one_of_its_kind(desk: Desk) -> None:
    (dead,) = of_group(desk)
    desk.stage.machine(dead).lose_power(400)
    desk.succeeds()
    (new,) = of_group(desk)
    assert new in set(BOXES) - {dead}


def test_a_create_that_is_cut_off_goes_on_with_the_groups_that_it_had() -> None:
    stage = Stage(12)
    for name in BOXES:
        stage.mark(name, labels=H100)  # type: ignore[arg-type]
    desk = Desk(stage, with_groups(gpu=GPU))
    with stage.faults(Fault(act.ApplyMetalLB, CommandFailed("cut off"))):
        apply(desk)
    desk.is_whole()
    assert len(of_group(desk)) == 1


def test_a_create_replaces_one_that_fails_by_one_of_its_kind() -> None:
    stage = Stage(12)
    for name in BOXES:
        stage.mark(name, labels=H100)  # type: ignore[arg-type]
    desk = Desk(stage, with_groups(gpu=GPU))
    with stage.faults(Fault(act.Join, CommandFailed("it fails"), servers=BOXES, times=1)) as (
        struck,
    ):
        apply(desk)
    (box,) = of_group(desk)
    assert box in set(BOXES) - {struck[0].server}
    desk.is_whole()


def test_an_imported_cluster_has_its_groups(desk: Desk) -> None:
    before, uid = of_group(desk), desk.view().uid
    del desk.state.clusters["batch"]
    desk.imports(uid)
    desk.is_whole()
    assert of_group(desk) == before


def test_an_rpool_node_has_none_of_a_groups_labels(desk: Desk) -> None:
    free = min(desk.stage.world.machines.keys() - desk.view().servers.keys())
    desk.mark(free, reserved=True)
    desk.write(with_groups(gpu=GPU), **{free: ("batch", NodeSpec({"mine": "yes"}))})
    desk.succeeds()
    labels = desk.stage.cluster(desk.view()).labelled[free].labels
    assert "tier" not in labels
    assert labels["mine"] == "yes"


def test_a_group_that_does_not_fit_is_an_error_at_its_place(desk: Desk) -> None:
    with pytest.raises(DoesNotFit) as caught:
        desk.stage.site.advise(with_groups(gpu=replace(GPU, cores=80)))
    (problem,) = caught.value.problems
    assert problem.path == ("workers", "gpu", "cores")
    assert "group gpu of cluster batch does not fit: it needs 80 cores" in problem.summary


def test_a_selector_of_a_group_that_takes_nobody_is_an_error_at_its_place(desk: Desk) -> None:
    unmatched = replace(GPU, selector=Selector(frozenset({"rack9"})))
    with pytest.raises(SpecError) as caught:
        desk.stage.site.check_pool(with_groups(gpu=unmatched))
    assert caught.value.problems[0].path == ("workers", "gpu", "selector", "zones")


CONFIG: dict[str, Any] = written(with_groups(gpu=replace(GPU, tolerate=Tolerance(servers=1))))


def test_a_request_with_groups_is_read_as_it_was_written() -> None:
    spec = parse_pool(CONFIG)
    assert spec is not None
    assert spec.groups["gpu"] == replace(GPU, tolerate=Tolerance(servers=1))
    saved = Record("0badcafe", "0badf00d", 1, 1, spec, None, {})
    assert read_record(_text(record(saved))).settled == spec


def _text(document: str) -> str:

    return str(json.loads(document)["data"]["record"])


@pytest.mark.parametrize(
    ("workers", "path", "said"),
    [
        ({"default": {"cores": 1, "memory": 1}}, ("workers", "default"), "is the group of the"),
        ({"GPU": {"cores": 1, "memory": 1}}, ("workers", "GPU"), "is not a DNS label"),
        ({"gpu": {"cores": 0, "memory": 1}}, ("workers", "gpu", "cores"), "must be at least 1"),
        ({"gpu": {"memory": 1}}, ("workers", "gpu", "cores"), "is required"),
        (
            {"gpu": {"cores": 1, "memory": 1, "tolerate": {"servers": 1, "zones": 1}}},
            ("workers", "gpu", "tolerate"),
            "either servers or zones",
        ),
        (
            {
                "gpu": {
                    "cores": 1,
                    "memory": 1,
                    "taint": [{"key": "a", "effect": "NoSchedule", "value": v} for v in "xy"],
                }
            },
            ("workers", "gpu", "taint"),
            "two taints have the key a",
        ),
    ],
)
def test_a_mistake_in_a_group(workers: dict[str, Any], path: tuple[str, ...], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_pool(CONFIG | {"workers": workers})
    (problem,) = caught.value.problems
    assert problem.path == path
    assert said in problem.summary
