"""What placement promises, on generated fleets, and how far it is from the best there is."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from rpool.decide.placement import (
    OVERHEAD_CORES,
    OVERHEAD_MEMORY_GIB,
    Placement,
    place,
)
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.server import Role, Server

SIZES = st.sampled_from([(1, 2), (4, 8), (8, 16), (8, 64), (16, 32), (64, 512)])


@st.composite
def fleets(draw: st.DrawFn, most: int = 9) -> list[Server]:
    count = draw(st.integers(1, most))
    servers = []
    for i in range(count):
        cores, memory = draw(SIZES)
        zone = draw(st.sampled_from(["rack1", "rack2", "rack3"]))
        labels = draw(st.sampled_from([{}, {"disk": "nvme"}, {"gpu": "h100", "disk": "nvme"}]))
        servers.append(
            Server(f"s{i}", f"10.0.0.{i}", cores, memory, zone, "ssh-ed25519 A", labels=labels)
        )
    return servers


def request(cores: int, memory: int, control_planes: int = 1) -> PoolSpec:
    endpoint = Endpoint(vip="10.9.9.9")
    return PoolSpec("p", "1.36.3", cores, memory, ControlPlane(control_planes, endpoint))


REQUESTS = st.builds(request, st.integers(1, 60), st.integers(1, 200), st.sampled_from([1, 1, 3]))


def workers(placement: Placement, fleet: list[Server]) -> list[Server]:
    return [s for s in fleet if placement.roles.get(s.name) is Role.WORKER]


def waste(spec: PoolSpec, chosen: list[Server], free: list[Server]) -> int:
    """The objective, worked out anew: normalised capacity and overhead of what was chosen."""
    all_cores, all_memory = sum(s.cores for s in free), sum(s.memory_gib for s in free)
    return sum(
        (s.cores + OVERHEAD_CORES) * all_memory + (s.memory_gib + OVERHEAD_MEMORY_GIB) * all_cores
        for s in chosen
    )


@given(fleets(), REQUESTS)
def test_a_placement_holds_the_request(fleet: list[Server], spec: PoolSpec) -> None:
    placement = place(spec, fleet, {}, "tie")
    if placement.shortfall is None:
        chosen = workers(placement, fleet)
        assert sum(s.cores for s in chosen) >= spec.cores
        assert sum(s.memory_gib for s in chosen) >= spec.memory_gib
        planes = [r for r in placement.roles.values() if r is Role.CONTROL_PLANE]
        assert len(planes) == spec.control_plane.servers


@given(fleets(), REQUESTS)
def test_workers_are_the_least_waste_that_brute_force_finds(
    fleet: list[Server], spec: PoolSpec
) -> None:
    placement = place(spec, fleet, {}, "tie")
    if placement.shortfall is not None:
        return
    free = [s for s in fleet if placement.roles.get(s.name) is not Role.CONTROL_PLANE]
    fitting = [
        subset
        for size in range(1, len(free) + 1)
        for subset in combinations(free, size)
        if sum(s.cores for s in subset) >= spec.cores
        and sum(s.memory_gib for s in subset) >= spec.memory_gib
    ]
    best = min(waste(spec, list(subset), free) for subset in fitting)
    assert waste(spec, workers(placement, fleet), free) == best


@given(fleets(7), REQUESTS)
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


@given(fleets(), REQUESTS, st.randoms())
def test_the_order_of_the_fleet_does_not_matter(
    fleet: list[Server],
    spec: PoolSpec,
    random: st.randoms,  # type: ignore[valid-type]
) -> None:
    shuffled = list(fleet)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = place(spec, fleet, {}, "tie"), place(spec, shuffled, {}, "tie")
    assert dict(one.roles) == dict(other.roles)


@given(fleets(), REQUESTS)
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
