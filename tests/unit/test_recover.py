"""A cluster whose quorum is lost is recovered from one control plane that is left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from following import Desk, with_cluster
from worlds.stage import FIVE, SPEC, killed

from rpool.model.action import Join, RecoverEtcd
from rpool.model.pool import PoolSpec
from rpool.model.seen import ClusterSeen


def recovering(server: str, spec: PoolSpec = SPEC) -> PoolSpec:
    return replace(spec, control_plane=replace(spec.control_plane, recover_from=server))


def broken(spec: PoolSpec = SPEC, lost: int = 2, count: int = 12) -> tuple[Desk, list[str]]:
    """A cluster whose last `lost` control planes are off; and the names of all of them."""
    desk = with_cluster(spec, count)
    control_planes = sorted(desk.view().control_planes)
    desk.power(*control_planes[-lost:], on=False)
    return desk, control_planes


def recovered(desk: Desk) -> list[str]:
    return [action.server for action in desk.stage.acted if isinstance(action, RecoverEtcd)]


def test_two_of_three_are_lost_and_the_third_has_the_data() -> None:
    desk, (survivor, *gone) = broken()
    desk.mark(*gone, lost=True)
    desk.write(recovering(survivor))
    desk.succeeds()
    assert recovered(desk) == [survivor]
    assert len(desk.view().control_planes) == 3
    assert survivor in desk.view().control_planes
    assert not set(gone) & desk.view().servers.keys()
    desk.is_whole()


def test_of_five_two_are_left_and_the_one_that_is_not_named_joins_anew() -> None:
    desk, control_planes = broken(FIVE, lost=3, count=16)
    desk.mark(*control_planes[-3:], lost=True)
    desk.write(recovering(control_planes[1], FIVE))
    desk.is_whole()
    assert {control_planes[0], control_planes[1]} <= desk.view().servers.keys()


def test_left_in_the_configuration_it_does_nothing_more() -> None:
    desk, (survivor, *gone) = broken()
    desk.mark(*gone, lost=True)
    desk.write(recovering(survivor))
    desk.succeeds()
    others = [name for name in desk.view().control_planes if name != survivor]
    desk.power(*others, on=False)
    desk.mark(*others, lost=True)
    desk.stage.acted.clear()
    assert "shows its API" in desk.refused()
    assert recovered(desk) == []
    desk.write(SPEC)  # removed in between, which the state takes even so
    assert "shows its API" in desk.refused()
    desk.write(recovering(survivor))
    desk.succeeds()
    assert recovered(desk) == [survivor]


def test_while_the_api_answers_it_does_nothing() -> None:
    desk = with_cluster()
    (control_plane, *_) = desk.view().control_planes
    desk.write(recovering(control_plane))
    desk.succeeds()
    assert recovered(desk) == []


def test_who_may_be_alive_prevents_it() -> None:
    desk, (survivor, one, two) = broken()
    desk.mark(one, lost=True)
    desk.write(recovering(survivor))
    error = desk.refused()
    assert f"etcd is not rebuilt from {survivor}: {two} may be alive" in error
    assert recovered(desk) == []
    desk.mark(two, lost=True)
    desk.is_whole()


def test_a_majority_that_answers_is_not_given_up() -> None:
    """Its API is down for another reason."""
    desk = with_cluster()
    survivor, other, gone = sorted(desk.view().control_planes)
    desk.power(gone, on=False)
    desk.mark(gone, lost=True)
    desk.stage.machine(survivor).stepped_down = desk.stage.machine(other).stepped_down = True
    desk.write(recovering(survivor))
    error = desk.refused()
    assert f"{survivor}, {other} answer, and are enough for its quorum" in error
    assert recovered(desk) == []


@pytest.mark.parametrize("which", ["worker", "stranger"])
def test_only_a_control_plane_of_the_cluster_has_its_data(which: str) -> None:
    desk, (_, *gone) = broken()
    desk.mark(*gone, lost=True)
    spare = next(iter(desk.stage.world.machines.keys() - desk.view().servers.keys()))
    name = desk.workers()[0] if which == "worker" else spare
    desk.write(recovering(name))
    assert (
        f"recover_from names {name}, which is not a control plane of the cluster"
    ) in desk.refused()
    assert recovered(desk) == []


@pytest.mark.parametrize("after", [RecoverEtcd, Join])
def test_a_recovery_that_was_cut_off_is_finished(after: type) -> None:
    desk, (survivor, *gone) = broken()
    desk.mark(*gone, lost=True)
    desk.write(recovering(survivor))
    with killed(desk.stage, after):
        desk.apply()
    desk.is_whole()


def test_what_is_in_the_cluster_is_there_still() -> None:
    desk, (survivor, *gone) = broken()
    before = desk.stage.world.machines[survivor].cluster
    assert before is not None
    record: ClusterSeen | object = before.record
    desk.mark(*gone, lost=True)
    desk.write(recovering(survivor))
    desk.succeeds()
    after = desk.stage.world.machines[survivor].cluster
    assert after is before
    assert record is not None
    assert desk.view().uid == before.record.uid if before.record else False
