"""Generated fleets and requests, and answers worked out the slow and obvious way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, combinations

from hypothesis import settings
from hypothesis import strategies as st

from rpool.decide.placement import OVERHEAD_CORES, OVERHEAD_MEMORY_GIB, Placement
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec, Tolerance
from rpool.model.server import Role, Server

# An example is judged by its result, not by how long a busy machine takes for it.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

SIZES = st.sampled_from([(1, 2), (4, 8), (8, 16), (8, 64), (16, 32), (64, 512)])
NONE = Tolerance()
SERVERS = [Tolerance(servers=1), Tolerance(servers=2)]
ZONES = [Tolerance(zones=1)]


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


def request(
    cores: int, memory: int, control_planes: int = 1, tolerate: Tolerance = NONE
) -> PoolSpec:
    planes = ControlPlane(control_planes, Endpoint(vip="10.9.9.9"))
    return PoolSpec("p", "1.36.3", cores, memory, planes, tolerate=tolerate)


def requests(
    control_planes: Sequence[int] = (1, 1, 3), tolerate: Sequence[Tolerance] = (NONE,)
) -> st.SearchStrategy[PoolSpec]:
    return st.builds(
        request,
        st.integers(1, 60),
        st.integers(1, 200),
        st.sampled_from(control_planes),
        st.sampled_from(tolerate),
    )


def workers(placement: Placement, fleet: Iterable[Server]) -> list[Server]:
    return [s for s in fleet if placement.roles.get(s.name) is Role.WORKER]


def waste(chosen: Iterable[Server], free: Sequence[Server]) -> int:
    """The objective, worked out anew: normalised capacity and overhead of what was chosen."""
    all_cores, all_memory = sum(s.cores for s in free), sum(s.memory_gib for s in free)
    return sum(
        (s.cores + OVERHEAD_CORES) * all_memory + (s.memory_gib + OVERHEAD_MEMORY_GIB) * all_cores
        for s in chosen
    )


def outlasts(spec: PoolSpec, chosen: Sequence[Server]) -> bool:
    """Whether the request is met after every loss that it is to tolerate."""
    if spec.tolerate.zones:
        units = [[s for s in chosen if s.zone == zone] for zone in {s.zone for s in chosen}]
    else:
        units = [[s] for s in chosen]
    stay = max(0, len(units) - (spec.tolerate.zones or spec.tolerate.servers))
    return all(
        sum(s.cores for s in chain(*rest)) >= spec.cores
        and sum(s.memory_gib for s in chain(*rest)) >= spec.memory_gib
        for rest in combinations(units, stay)
    )


def least(
    spec: PoolSpec, held: Sequence[Server], spares: Sequence[Server]
) -> tuple[int, int] | None:
    """Waste and labels of the best of all sets of spares that, with `held`, hold the request."""
    free = [*held, *spares]
    sets = [c for size in range(len(spares) + 1) for c in combinations(spares, size)]
    priced = sorted(((waste(c, free), labels(c), i) for i, c in enumerate(sets)))
    return next(((w, n) for w, n, i in priced if outlasts(spec, [*held, *sets[i]])), None)


def labels(chosen: Iterable[Server]) -> int:
    """How many labels the servers have, where a request asks for none."""
    return sum(len(s.labels) for s in chosen)
