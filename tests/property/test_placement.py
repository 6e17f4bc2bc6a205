"""What placement promises, on generated fleets, and how far it is from the best there is."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from generated import NONE, SERVERS, ZONES, fleets, labels, least, request, requests, waste, workers
from hypothesis import given, settings
from hypothesis import strategies as st

from rpool.decide.placement import fewer_control_planes, place
from rpool.model.pool import PoolSpec
from rpool.model.server import Role, Server


@given(fleets(), requests())
def test_a_placement_holds_the_request(fleet: list[Server], spec: PoolSpec) -> None:
    placement = place(spec, fleet, {}, "tie")
    if placement.shortfall is None:
        chosen = workers(placement, fleet)
        assert sum(s.cores for s in chosen) >= spec.cores
        assert sum(s.memory_gib for s in chosen) >= spec.memory_gib
        planes = [r for r in placement.roles.values() if r is Role.CONTROL_PLANE]
        assert len(planes) == spec.control_plane.servers


@given(fleets(12), requests(control_planes=[0]))
def test_workers_are_the_least_waste_and_labels_that_brute_force_finds(
    fleet: list[Server], spec: PoolSpec
) -> None:
    placement = place(spec, fleet, {}, "tie")
    chosen = workers(placement, fleet)
    cost = None if placement.shortfall else (waste(chosen, fleet), labels(chosen))
    assert cost == least(spec, [], fleet)


@given(fleets(7), requests())
def test_nothing_is_refused_that_fits_with_the_smallest_control_planes(
    fleet: list[Server], spec: PoolSpec
) -> None:
    able = sorted(
        (s for s in fleet if s.cores >= 2 and s.memory_gib >= 2),
        key=lambda s: (s.cores * s.memory_gib, len(s.labels)),
    )
    planes = able[: spec.control_plane.servers]
    rest = [s for s in fleet if s not in planes]
    fits = (
        len(planes) == spec.control_plane.servers
        and sum(s.cores for s in rest) >= spec.cores
        and sum(s.memory_gib for s in rest) >= spec.memory_gib
    )
    if fits:
        assert place(spec, fleet, {}, "tie").shortfall is None


@pytest.mark.parametrize(("cores", "memory"), [(9, 1), (1, 33)])
def test_of_equally_small_servers_those_become_control_planes_that_leave_enough(
    cores: int, memory: int
) -> None:
    sizes = [(4, 8), (4, 8), (8, 64), (16, 32)]
    fleet = [Server(f"s{i}", f"10.0.0.{i}", *size, "rack1", "k") for i, size in enumerate(sizes)]
    for tie in "abcdefgh":
        assert place(request(cores, memory, 3), fleet, {}, tie).shortfall is None


@settings(max_examples=200)
@given(fleets(), requests(tolerate=[NONE, *SERVERS, *ZONES]), st.randoms(use_true_random=False))
def test_the_order_of_the_fleet_does_not_matter(
    fleet: list[Server], spec: PoolSpec, random: Random
) -> None:
    shuffled = list(fleet)
    random.shuffle(shuffled)
    one, other = place(spec, fleet, {}, "tie"), place(spec, shuffled, {}, "tie")
    assert dict(one.roles) == dict(other.roles)


@given(fleets(), requests())
def test_what_is_kept_stays_what_it_is(fleet: list[Server], spec: PoolSpec) -> None:
    first = place(spec, fleet, {}, "tie")
    again = place(spec, fleet, first.roles, "other tie")
    assert first.shortfall is not None or dict(again.roles) == dict(first.roles)


def test_a_plain_pool_does_not_take_the_gpu_server_when_a_plain_one_does() -> None:
    plain = [Server(f"p{i}", f"10.0.0.{i}", 8, 16, "rack1", "k") for i in range(2)]
    gpu = [Server("gpu", "10.0.0.9", 8, 16, "rack1", "k", labels={"accelerator": "h100"})]
    for tie in "abcdefgh":
        assert "gpu" not in place(request(8, 16), plain + gpu, {}, tie).roles


def test_control_planes_stand_in_as_many_zones_as_there_are() -> None:
    small = [Server(f"a{i}", f"10.0.0.{i}", 4, 8, "rack1", "k") for i in range(5)]
    large = [Server(f"b{i}", f"10.0.1.{i}", 16, 32, f"rack{i + 2}", "k") for i in range(2)]
    placement = place(request(4, 8, 3), small + large, {}, "tie")
    zones = {s.zone for s in small + large if placement.roles.get(s.name) is Role.CONTROL_PLANE}
    assert zones == {"rack1", "rack2", "rack3"}


def test_two_pools_rarely_want_the_same_server() -> None:
    fleet = [Server(f"s{i}", f"10.0.0.{i}", 8, 16, "rack1", "k") for i in range(40)]
    picks = [frozenset(place(request(8, 16), fleet, {}, f"pool{i}").roles) for i in range(10)]
    shared = sum(1 for a, b in combinations(picks, 2) if a & b)
    assert shared <= 12


@given(fleets(), st.integers(0, 5))
def test_the_control_planes_that_stay_are_in_as_many_zones_as_can_be(
    current: list[Server], count: int
) -> None:
    stay = fewer_control_planes(request(1, 1), current, count, "tie")
    assert len(stay) == len({s.name for s in stay}) == min(count, len(current))
    assert len({s.zone for s in stay}) == min(count, len({s.zone for s in current}))


def test_with_every_zone_kept_the_smallest_control_planes_stay() -> None:
    small = [Server(f"a{i}", f"10.0.0.{i}", 4, 8, "rack1", "k") for i in range(3)]
    large = [Server(f"b{i}", f"10.0.1.{i}", 16, 32, "rack2", "k") for i in range(2)]
    stay = fewer_control_planes(request(1, 1), large + small, 3, "tie")
    assert [s.zone for s in stay] == ["rack1", "rack2", "rack1"]
