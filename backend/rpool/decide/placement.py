"""Which servers a cluster takes: those that hold the request with the least waste.

Waste is capacity beyond the request plus a fixed overhead for every server (its operating system
and daemons: 1 core, 2 GiB), cores and memory normalised by the totals of the candidates. Ties
prefer servers with fewer labels that the request did not ask for (a plain pool must not take the
GPU servers), then even zones, then a hash of cluster and server, so that two clusters rarely want
the same server.

A request holds when the workers have its cores and its memory after the worst loss that it is to
tolerate; cores and memory each after the loss that is worst for it. One more worker never breaks
that: a loss that takes it spares another one, or leaves what was left before. So a request can be
met exactly when all candidates together meet it, and nothing that fits is ever refused.

`cover` searches for how many servers of each size are needed, and `tolerance` where a loss is to be
tolerated. This module decides what servers cost, and which of those that are alike are taken.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from rpool.decide.tolerance import Stock, left, outlast_servers, outlast_zones
from rpool.model.pool import PoolSpec, Selector
from rpool.model.server import Fleet, Role, Server, ServerName

CONTROL_PLANE_CORES = 2  # what kubeadm's preflight asks for (NumCPU)
CONTROL_PLANE_MEMORY_GIB = 2  # kubeadm asks for 1700 MB
OVERHEAD_CORES = 1
OVERHEAD_MEMORY_GIB = 2
WASTE_BEFORE_LABELS = 1_000_000  # the least difference of waste outweighs any number of labels


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing for a request and the loss that it tolerates; zero where there is enough."""

    cores: int = 0
    memory_gib: int = 0
    control_planes: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Role by server name, control planes first; with a `shortfall` there is no placement."""

    roles: Mapping[ServerName, Role]
    shortfall: Shortfall | None = None
    # The group of each server that is not in the default one.
    groups: Mapping[ServerName, str] = field(default_factory=dict)


def selects(selector: Selector, server: Server) -> bool:
    """Whether a selector takes a server at all."""
    in_zone = not selector.zones or server.zone in selector.zones
    return in_zone and all(server.labels.get(k) == v for k, v in selector.labels.items())


def fits(spec: PoolSpec, server: Server, role: Role | None = None) -> bool:
    """Whether the cluster may have the server, in that role or in any: a selector takes it, and its
    domain of trust is the cluster's.
    """
    selectors = [
        spec.selector_of(control_plane=each is Role.CONTROL_PLANE)
        for each in ([role] if role else Role)
    ]
    return server.trust == spec.trust and any(selects(each, server) for each in selectors)


def candidates(fleet: Fleet, spec: PoolSpec, excluded: Iterable[ServerName] = ()) -> list[Server]:
    """The fleet's servers that the cluster may pick, by what the fleet declares."""
    out = frozenset(excluded)
    return [
        server
        for name, server in sorted(fleet.servers.items())
        if name not in out
        and not (server.reserved or server.retire or server.lost)
        and fits(spec, server)
    ]


def holds(spec: PoolSpec, workers: Iterable[Server]) -> bool:
    """Whether `workers` have the request's cores and memory, also after the loss it tolerates."""
    short = shortfall_of(spec, workers)
    return not (short.cores or short.memory_gib)


def outlasting(spec: PoolSpec, workers: Iterable[Server]) -> tuple[int, int]:
    """Cores and GiB that `workers` have after the loss to tolerate that is worst for either."""
    lost = spec.tolerate.zones or spec.tolerate.servers
    cores: Counter[str] = Counter()
    memory: Counter[str] = Counter()
    for server in workers:
        unit = server.zone if spec.tolerate.zones else server.name
        cores[unit] += server.cores
        memory[unit] += server.memory_gib
    return left(cores.values(), lost), left(memory.values(), lost)


def shortfall_of(spec: PoolSpec, workers: Iterable[Server]) -> Shortfall:
    """Cores and GiB that `workers` lack after the worst loss to tolerate; no control planes."""
    cores, memory_gib = outlasting(spec, workers)
    return Shortfall(max(0, spec.cores - cores), max(0, spec.memory_gib - memory_gib))


def waste(servers: Iterable[Server], of: Iterable[Server]) -> float:
    """The share that `servers` and their overhead have of `of`: the mean of cores' and memory's."""
    all_ = list(of)
    cores, memory_gib = sum(s.cores for s in all_), sum(s.memory_gib for s in all_)
    shares = (
        (s.cores + OVERHEAD_CORES) / cores + (s.memory_gib + OVERHEAD_MEMORY_GIB) / memory_gib
        for s in servers
    )
    return sum(shares) / 2


def place(
    spec: PoolSpec,
    free: Sequence[Server],
    kept: Mapping[ServerName, Role],
    tie: str,
    ranks: Mapping[ServerName, int] | None = None,
) -> Placement:
    """Roles for the request out of `free`, where `kept` (a subset of `free`) keep their roles. Of
    servers that are alike, those with a low rank (0 unless given) are taken first.

    Control planes are the smallest sufficient servers in as many zones as there are. When that
    leaves too little for the workers, they are the smallest of all regardless of zones; of equally
    small ones (8 cores and 64 GiB, 16 and 32) those with fewer cores, or else less memory.
    """
    order = _Order(tie, ranks or {})
    by_zone = _placed(spec, free, kept, order, evenly=spec.control_plane.servers)
    if by_zone.shortfall is None:
        return by_zone
    fewer_cores = _Order(tie, {s.name: s.cores for s in free})
    less_memory = _Order(tie, {s.name: s.memory_gib for s in free})
    for smallest in (order, fewer_cores, less_memory):
        placement = _placed(spec, free, kept, smallest, evenly=0)
        if placement.shortfall is None:
            return placement
    return by_zone


def working(spec: PoolSpec, planes: Sequence[Server]) -> list[Server]:
    """The control planes that take pods and count for the request: all or none."""
    return list(planes) if spec.control_plane.schedulable else []


def keepers(
    spec: PoolSpec, workers: Sequence[Server], certain: Sequence[Server], tie: str
) -> list[Server]:
    """Those of `workers` that stay: with `certain`, which stay anyhow, they hold the request with
    the least waste. All of them if even all do not hold it.
    """
    if not holds(spec, [*certain, *workers]):
        return list(workers)
    return _least_waste(spec, certain, workers, _Order(tie))


def fewer_control_planes(
    spec: PoolSpec, current: Sequence[Server], count: int, tie: str
) -> list[Server]:
    """The `count` of the `current` control planes that stay: one in each zone as far as possible,
    then the smallest.
    """
    selector = spec.selector_of(control_plane=True)
    return _pick(selector, current, count, (), _Order(tie), evenly=1)


def _placed(
    spec: PoolSpec,
    free: Sequence[Server],
    kept: Mapping[ServerName, Role],
    order: _Order,
    *,
    evenly: int,
) -> Placement:
    planes = [s for s in free if kept.get(s.name) is Role.CONTROL_PLANE]
    workers = [s for s in free if kept.get(s.name) is Role.WORKER]
    selector = spec.selector_of(control_plane=True)
    able = [s for s in free if s.name not in kept and _can_control(s) and selects(selector, s)]
    wanted = spec.control_plane.servers - len(planes)
    planes += _pick(selector, able, wanted, planes, order, evenly=evenly)
    missing = max(0, spec.control_plane.servers - len(planes))
    taken = {s.name for s in planes}.union(kept)
    spares = [s for s in free if s.name not in taken and selects(spec.selector, s)]
    held = [*workers, *working(spec, planes)]
    short = replace(shortfall_of(spec, [*held, *spares]), control_planes=missing)
    if short != Shortfall():
        return Placement({}, short)
    workers += _least_waste(spec, held, spares, order)
    roles = {s.name: Role.CONTROL_PLANE for s in planes}
    return Placement(roles | {s.name: Role.WORKER for s in workers})


def _can_control(server: Server) -> bool:
    return server.cores >= CONTROL_PLANE_CORES and server.memory_gib >= CONTROL_PLANE_MEMORY_GIB


def extra_labels(selector: Selector, server: Server) -> int:
    return sum(1 for key in server.labels if key not in selector.labels)


def _pick(
    selector: Selector,
    servers: Sequence[Server],
    count: int,
    beside: Iterable[Server],
    order: _Order,
    *,
    evenly: int = 0,
) -> list[Server]:
    """At most `count` of `servers`, by size, then fewest labels not asked for, then rank, then even
    zones (counting those of `beside`), then hash. Until every zone has `evenly` of them, the zone
    with the fewest comes before all that.
    """
    queues: dict[str, list[tuple[int, int, int, str, Server]]] = {}
    for s in servers:
        labels = extra_labels(selector, s)
        entry = s.cores * s.memory_gib, labels, order.rank(s), order.hash(s), s
        queues.setdefault(s.zone, []).append(entry)
    for queue in queues.values():
        queue.sort(key=lambda entry: entry[:4], reverse=True)
    used = Counter(s.zone for s in beside)

    def urgency(zone: str) -> tuple[int, int, int, int, int, str]:
        size, labels, rank, digest, _ = queues[zone][-1]
        return min(used[zone], evenly), size, labels, rank, used[zone], digest

    picked: list[Server] = []
    while queues and len(picked) < count:
        zone = min(queues, key=urgency)
        picked.append(queues[zone].pop()[-1])
        used[zone] += 1
        if not queues[zone]:
            del queues[zone]
    return picked


@dataclass(frozen=True, slots=True)
class _Order:
    """What decides among servers that are alike."""

    tie: str
    ranks: Mapping[ServerName, int] = field(default_factory=dict)

    def rank(self, server: Server) -> int:
        return self.ranks.get(server.name, 0)

    def hash(self, server: Server) -> str:
        return hashlib.sha256(f"{self.tie}/{server.name}".encode()).hexdigest()


def _least_waste(
    spec: PoolSpec, held: Sequence[Server], spares: Sequence[Server], order: _Order
) -> list[Server]:
    """The `spares` to add to `held` for the least waste. All together must hold the request."""
    groups: dict[tuple[str, int, int], list[Server]] = {}
    for s in spares:
        zone = s.zone if spec.tolerate.zones else ""
        groups.setdefault((zone, s.cores, s.memory_gib), []).append(s)
    cost = _Cost(
        spec.selector,
        sum(s.cores for s in [*held, *spares]),
        sum(s.memory_gib for s in [*held, *spares]),
    )
    stocks = [Stock(*key, cost.rising(groups[key])) for key in sorted(groups, reverse=True)]
    need = spec.cores, spec.memory_gib
    if spec.tolerate.zones:
        counts = outlast_zones(need, spec.tolerate.zones, held, stocks)
    else:
        counts = outlast_servers(need, spec.tolerate.servers, held, stocks)
    picked: list[Server] = []
    for stock, count in zip(stocks, counts, strict=True):
        group = groups[stock.zone, stock.cores, stock.memory_gib]
        picked += _pick(spec.selector, group, count, [*held, *picked], order)
    return picked


@dataclass(frozen=True, slots=True)
class _Cost:
    """Waste first, then labels that were not asked for, in one integer.

    Waste is normalised by the totals: either resource is multiplied by the total of the other.
    """

    selector: Selector
    all_cores: int
    all_memory_gib: int

    def rising(self, alike: Sequence[Server]) -> tuple[int, ...]:
        """What none, one, two, ... servers of one size cost, those with the fewest labels first."""
        cores, memory = alike[0].cores + OVERHEAD_CORES, alike[0].memory_gib + OVERHEAD_MEMORY_GIB
        waste = (cores * self.all_memory_gib + memory * self.all_cores) * WASTE_BEFORE_LABELS
        labels = sorted(extra_labels(self.selector, s) for s in alike)
        return tuple(accumulate((waste + extra for extra in labels), initial=0))
