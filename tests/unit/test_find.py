"""Finding a cluster with nothing but the fleet known, on modelled servers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.stage import FOREIGN, SPEC, Stage

from rpool.attempt import Remains
from rpool.errors import SpecError, Unreachable
from rpool.flow.locate import find
from rpool.model.claim import Fence
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.server import Role
from rpool.model.view import Condition, PoolView

SMALL = replace(
    SPEC, cores=8, memory_gib=16, control_plane=ControlPlane(1, Endpoint(vip="10.0.1.201"))
)
ELSEWHERE = replace(
    SMALL, control_plane=ControlPlane(1, Endpoint(vip="10.0.1.202")), metallb_pools={}
)


def _made(stage: Stage, spec: PoolSpec = SPEC) -> PoolView:
    return stage.site.create_pool(spec, stage.attempt())


def _control_planes(view: PoolView) -> list[str]:
    return [n for n, member in view.servers.items() if member.role is Role.CONTROL_PLANE]


def _problem(stage: Stage, wanted: str) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        find(stage.world, stage.site.config.fleet, wanted)
    (problem,) = caught.value.problems
    return problem.summary, problem.detail


@pytest.mark.parametrize("attribute", ["uid", "name"])
def test_a_pool_is_found_by_its_uid_and_by_its_name_as_it_was_made(attribute: str) -> None:
    stage = Stage()
    view = _made(stage)
    pool = find(stage.world, stage.site.config.fleet, getattr(view, attribute))
    assert pool.view == view
    assert pool.record.spec == SPEC
    assert pool.through in _control_planes(view)


def test_a_name_of_two_pools_is_refused_with_their_uids() -> None:
    stage = Stage(10)
    one, other = _made(stage, SMALL), _made(stage, replace(ELSEWHERE, name="other"))
    record = stage.cluster(other).record  # no create makes a second one: two sites were merged
    assert record is not None and record.settled is not None
    settled = replace(record.settled, name=SMALL.name)
    stage.cluster(other).record = replace(record, settled=settled, wanted=None)
    for name in other.servers:
        claim = stage.machine(name).claim
        assert claim is not None
        stage.machine(name).claim = replace(claim, pool=SMALL.name)
    other = replace(other, name=SMALL.name)
    summary, detail = _problem(stage, SMALL.name)
    assert summary == "2 clusters are called batch"
    assert one.uid in detail
    assert other.uid in detail
    pool = find(stage.world, stage.site.config.fleet, other.uid)
    assert pool.view == other


def test_a_uid_is_meant_before_a_name_that_looks_like_one() -> None:
    stage = Stage(10)
    one = _made(stage, SMALL)
    _made(stage, replace(ELSEWHERE, name=one.uid))
    assert find(stage.world, stage.site.config.fleet, one.uid).view == one


def test_no_such_pool_is_an_error_that_names_the_pools_there_are() -> None:
    stage = Stage()
    view = _made(stage)
    stage.machine("r1u06").powered = False
    summary, detail = _problem(stage, "bacth")
    assert "bacth" in summary
    assert f"batch ({view.uid})" in detail
    assert "Not reached: r1u06" in detail


def test_an_empty_fleet_says_that_no_pool_was_found() -> None:
    _, detail = _problem(Stage(), "batch")
    assert "None was found." in detail


def test_a_fleet_that_does_not_answer_is_not_one_without_the_pool() -> None:
    stage = Stage()
    for machine in stage.world.machines.values():
        machine.powered = False
    with pytest.raises(Unreachable, match="no server of the fleet answers"):
        find(stage.world, stage.site.config.fleet, "batch")


@pytest.mark.parametrize("attribute", ["uid", "name"])
def test_a_dead_control_plane_does_not_hide_a_pool_that_serves(attribute: str) -> None:
    stage = Stage()
    view = _made(stage)
    dead = _control_planes(view)[0]
    stage.machine(dead).powered = False
    pool = find(stage.world, stage.site.config.fleet, getattr(view, attribute))
    assert pool.through != dead
    assert pool.view == view


@pytest.mark.parametrize("attribute", ["uid", "name"])
def test_a_pool_without_an_api_is_an_error_that_names_its_servers(attribute: str) -> None:
    stage = Stage()
    view = _made(stage)
    for name in _control_planes(view)[:2]:
        stage.machine(name).powered = False
    with pytest.raises(Unreachable) as caught:
        find(stage.world, stage.site.config.fleet, getattr(view, attribute))
    assert f"cluster batch ({view.uid}) has servers" in caught.value.summary
    assert _control_planes(view)[2] in caught.value.detail


def test_servers_that_were_only_claimed_are_no_pool_with_an_api() -> None:
    stage = Stage()
    stage.machine("r1u03").claim = FOREIGN
    with pytest.raises(Remains, match="of cluster other"):
        find(stage.world, stage.site.config.fleet, "other")


def test_a_pool_in_the_midst_of_a_change_is_found_with_what_it_is_to_be() -> None:
    stage = Stage()
    view = _made(stage)
    cluster = stage.machine(_control_planes(view)[0]).cluster
    assert cluster is not None
    assert cluster.record is not None
    wanted = replace(SPEC, cores=32)
    cluster.record = replace(cluster.record, settled=wanted, wanted=wanted)
    pool = find(stage.world, stage.site.config.fleet, view.uid)
    assert pool.view.condition is Condition.INCOMPLETE
    assert pool.view.cores == 32
    assert pool.view.servers == view.servers
    assert stage.become(pool.view, wanted, wanted).condition is Condition.SETTLED


@pytest.mark.parametrize("is_known", [True, False])
def test_a_cluster_is_found_without_asking_everybody_only_where_its_ca_is_known(
    is_known: bool,
) -> None:
    stage = Stage(40)
    view = _made(stage)
    asked: list[str] = []
    probe = stage.world.probe

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(stage.world, name)

        def probe(self, server: str, fence: Fence | None = None) -> object:
            asked.append(server)
            return probe(server, fence)

    known = view.ca_certificate if is_known else ""
    find(Counting(), stage.site.config.fleet, view.uid, known_ca=known)  # type: ignore[arg-type]
    assert (len(asked) < 40) is is_known
