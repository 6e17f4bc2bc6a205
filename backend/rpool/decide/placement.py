"""Which servers a pool takes: the least waste that holds the request.

Waste is capacity beyond the request plus a fixed overhead for every server (its operating system
and daemons: 1 core, 2 GiB), cores and memory normalised by the totals of the candidates. Ties
prefer servers with fewer labels that nobody asked for (a plain pool must not eat the GPU boxes),
then even zones, then a hash of pool and server, so that two pools rarely want the same server.

Servers of one size and label count are alike, and a fleet has few sizes; so the search is over
*how many of each kind*, exact by branch and bound, and cut off after a fixed number of branches
(never a time, so that the same input always gives the same answer).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rpool.model.pool import PoolSpec, Selector
from rpool.model.server import Fleet, Role, Server, ServerName

CONTROL_PLANE_CORES = 2  # what kubeadm's preflight asks for (NumCPU)
CONTROL_PLANE_MEMORY_GIB = 2  # kubeadm asks for 1700 MB
OVERHEAD_CORES = 1
OVERHEAD_MEMORY_GIB = 2
BRANCHES = 50_000


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing for a request; zero where there is enough."""

    cores: int = 0
    memory_gib: int = 0
    control_planes: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Role by server name, control planes first; or, with `shortfall`, that it can't be done."""

    roles: Mapping[ServerName, Role]
    shortfall: Shortfall | None = None


def selects(selector: Selector, server: Server) -> bool:
    """Whether a server is one that the pool may have at all."""
    in_zone = not selector.zones or server.zone in selector.zones
    return in_zone and all(server.labels.get(k) == v for k, v in selector.labels.items())


def candidates(fleet: Fleet, spec: PoolSpec, excluded: Iterable[ServerName] = ()) -> list[Server]:
    """The fleet's servers that the pool may pick, as declared."""
    out = frozenset(excluded)
    return [
        server
        for name, server in sorted(fleet.servers.items())
        if name not in out
        and not (server.reserved or server.retire or server.lost)
        and selects(spec.selector, server)
    ]


def place(
    spec: PoolSpec, free: Sequence[Server], kept: Mapping[ServerName, Role], tie: str
) -> Placement:
    """Roles for the request out of `free`, where `kept` (a subset of `free`) stay what they are.

    Control planes are the smallest sufficient servers in as many zones as there are; when that
    leaves too little for the workers, the smallest of all regardless of zones.
    """
    by_zone = _placed(spec, free, kept, tie, spread=True)
    if by_zone.shortfall is None:
        return by_zone
    smallest = _placed(spec, free, kept, tie, spread=False)
    return by_zone if smallest.shortfall is not None else smallest


def _placed(
    spec: PoolSpec,
    free: Sequence[Server],
    kept: Mapping[ServerName, Role],
    tie: str,
    *,
    spread: bool,
) -> Placement:
    chosen = _control_planes(spec, free, kept, tie, spread=spread)
    missing = max(0, spec.control_plane.servers - len(chosen))
    workers, short = _workers(spec, [s for s in free if s not in chosen], kept, tie)
    if missing or short.cores or short.memory_gib:
        return Placement({}, replace(short, control_planes=missing))
    roles = {s.name: Role.CONTROL_PLANE for s in chosen}
    return Placement(roles | {s.name: Role.WORKER for s in workers})


def _hash(tie: str, server: Server) -> str:
    return hashlib.sha256(f"{tie}/{server.name}".encode()).hexdigest()


def _control_planes(
    spec: PoolSpec,
    free: Sequence[Server],
    kept: Mapping[ServerName, Role],
    tie: str,
    *,
    spread: bool,
) -> list[Server]:
    chosen = [s for s in free if kept.get(s.name) is Role.CONTROL_PLANE]
    able = [
        s
        for s in free
        if s.name not in kept
        and s.cores >= CONTROL_PLANE_CORES
        and s.memory_gib >= CONTROL_PLANE_MEMORY_GIB
    ]
    while able and len(chosen) < spec.control_plane.servers:
        used = Counter(s.zone for s in chosen)
        pick = min(
            able,
            key=lambda s: (
                used[s.zone] if spread else 0,
                s.cores * s.memory_gib,
                _extra_labels(spec.selector, s),
                used[s.zone],
                _hash(tie, s),
            ),
        )
        able.remove(pick)
        chosen.append(pick)
    return chosen


def _extra_labels(selector: Selector, server: Server) -> int:
    return sum(1 for key in server.labels if key not in selector.labels)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Servers that are alike for the search, best first for picking."""

    cores: int
    memory_gib: int
    extra_labels: int
    servers: tuple[Server, ...]


def _workers(
    spec: PoolSpec, free: Sequence[Server], kept: Mapping[ServerName, Role], tie: str
) -> tuple[list[Server], Shortfall]:
    held = [s for s in free if kept.get(s.name) is Role.WORKER]
    open_ = [s for s in free if s.name not in kept]
    need_cores = max(0, spec.cores - sum(s.cores for s in held))
    need_memory = max(0, spec.memory_gib - sum(s.memory_gib for s in held))
    short = Shortfall(
        max(0, need_cores - sum(s.cores for s in open_)),
        max(0, need_memory - sum(s.memory_gib for s in open_)),
    )
    if short.cores or short.memory_gib:
        return held, short
    kinds = _kinds(spec.selector, open_)
    counts = _Search(kinds, sum(s.cores for s in free), sum(s.memory_gib for s in free)).best(
        need_cores, need_memory
    )
    return _spread(held, kinds, counts, tie), short


def _kinds(selector: Selector, servers: Sequence[Server]) -> list[_Kind]:
    groups: dict[tuple[int, int, int], list[Server]] = {}
    for server in servers:
        key = (server.cores, server.memory_gib, _extra_labels(selector, server))
        groups.setdefault(key, []).append(server)
    return [_Kind(*key, tuple(group)) for key, group in sorted(groups.items(), reverse=True)]


def _spread(
    held: list[Server], kinds: Sequence[_Kind], counts: Sequence[int], tie: str
) -> list[Server]:
    chosen = list(held)
    for kind, count in zip(kinds, counts, strict=True):
        left = list(kind.servers)
        for _ in range(count):
            used = Counter(s.zone for s in chosen)
            pick = min(left, key=lambda s: (used[s.zone], _hash(tie, s)))
            left.remove(pick)
            chosen.append(pick)
    return chosen


Cost = tuple[int, int]
"""(waste, labels nobody asked for), compared in that order; waste is cores and memory with
either multiplied by the total of the other, which normalises both in whole numbers."""


@dataclass(slots=True)
class _Search:
    """How many servers of each kind: branch and bound over the kinds, largest first."""

    kinds: Sequence[_Kind]
    total_cores: int
    total_memory: int
    _branches: int = 0
    _best: tuple[Cost, list[int]] | None = field(default=None)

    def best(self, cores: int, memory: int) -> list[int]:
        """Counts by kind that hold the need at the least cost; the need is known to be there."""
        self._descend(0, cores, memory, (0, 0), [])
        if self._best is None:  # cut off before the first leaf: everything certainly holds it
            return [len(kind.servers) for kind in self.kinds]
        return self._best[1]

    def _weight(self, cores: int, memory: int) -> int:
        return cores * self.total_memory + memory * self.total_cores

    def _descend(self, at: int, cores: int, memory: int, cost: Cost, counts: list[int]) -> None:
        if cores <= 0 and memory <= 0:
            if self._best is None or cost < self._best[0]:
                self._best = (cost, counts + [0] * (len(self.kinds) - at))
            return
        if (
            at == len(self.kinds)
            or self._branches >= BRANCHES
            or not self._can_win(at, cores, memory, cost)
        ):
            return
        kind = self.kinds[at]
        each = self._weight(kind.cores + OVERHEAD_CORES, kind.memory_gib + OVERHEAD_MEMORY_GIB)
        for count in range(self._most(kind, cores, memory), -1, -1):
            self._branches += 1
            self._descend(
                at + 1,
                cores - count * kind.cores,
                memory - count * kind.memory_gib,
                (cost[0] + count * each, cost[1] + count * kind.extra_labels),
                [*counts, count],
            )

    @staticmethod
    def _most(kind: _Kind, cores: int, memory: int) -> int:
        """No more than are there, and no more than the need could use."""
        useful = max(_ceil(cores, kind.cores), _ceil(memory, kind.memory_gib))
        return min(len(kind.servers), useful)

    def _can_win(self, at: int, cores: int, memory: int, cost: Cost) -> bool:
        """Whether the kinds from `at` on can hold the need, and at less than the best so far."""
        rest = self.kinds[at:]
        if sum(k.cores * len(k.servers) for k in rest) < cores:
            return False
        if sum(k.memory_gib * len(k.servers) for k in rest) < memory:
            return False
        if self._best is None:
            return True
        fewest = max(
            _ceil(cores, max(k.cores for k in rest)), _ceil(memory, max(k.memory_gib for k in rest))
        )
        bound = self._weight(
            max(0, cores) + fewest * OVERHEAD_CORES, max(0, memory) + fewest * OVERHEAD_MEMORY_GIB
        )
        return (cost[0] + bound, cost[1]) < self._best[0]


def _ceil(need: int, size: int) -> int:
    return max(0, -(-need // size))
