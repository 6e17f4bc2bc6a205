"""How far the workers that placement picks are from the optimum.

The optimum is that of a mixed integer program, solved by HiGHS, on generated fleets. Prints the
ratio of our waste to the least waste (capacity beyond the request, and overhead). Nothing is
asserted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from rpool.decide.placement import OVERHEAD_CORES, OVERHEAD_MEMORY_GIB, place
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec, Tolerance
from rpool.model.server import Role, Server

SERVERS = 200
FLEETS = 12
LIMIT_SECONDS = 20  # for one program; what is not proven by then is compared with its bound
GAP = 1e-6
ROUND_SIZES = [(8, 32), (16, 64), (16, 128), (32, 128), (48, 384), (64, 512)]
ODD_SIZES = [(8, 31), (12, 64), (16, 94), (20, 60), (24, 128), (28, 90), (36, 250), (64, 376)]
LABELS: list[dict[str, str]] = [{}, {}, {"disk": "nvme"}, {"disk": "nvme", "gpu": "h100"}]
TOLERANCES = [Tolerance(), Tolerance(servers=1), Tolerance(servers=2), Tolerance(zones=1)]


Numbers = NDArray[np.float64]
Row = tuple[Numbers, float]
"""Factors of all variables, and the least that their sum must be."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request and the servers that may be its workers."""

    spec: PoolSpec
    free: list[Server]

    def cost(self, cores: int, memory_gib: int, servers: int) -> float:
        """Cores and GiB of some servers with their overhead, as shares of all that is free."""
        all_cores, all_memory = (
            sum(s.cores for s in self.free),
            sum(s.memory_gib for s in self.free),
        )
        return (cores + servers * OVERHEAD_CORES) / all_cores + (
            memory_gib + servers * OVERHEAD_MEMORY_GIB
        ) / all_memory

    def waste(self, cost: float) -> float:
        return cost - self.cost(self.spec.cores, self.spec.memory_gib, 0)


def main() -> None:
    for tolerance in TOLERANCES:
        ratios, seconds, unproven = [], [], 0
        for case in cases(tolerance):
            start = time.process_time()
            ours = case.waste(placed(case))
            seconds.append(time.process_time() - start)
            bound, proven = optimum(case)
            ratios.append(ours / case.waste(bound))
            unproven += not proven
        best = sum(1 for ratio in ratios if ratio < 1 + 10 * GAP)
        print(
            f"tolerate {tolerance.servers} servers, {tolerance.zones} zones: "
            f"waste / least waste {statistics.median(ratios):.4f} (worst {max(ratios):.4f}), "
            f"{best} of {len(ratios)} optimal, {unproven} compared with a bound; "
            f"{statistics.median(seconds) * 1000:.0f} ms (worst {max(seconds) * 1000:.0f})",
            flush=True,
        )


def cases(tolerance: Tolerance) -> Iterator[Case]:
    for seed in range(FLEETS):
        random = Random(seed)  # noqa: S311 - fleets to measure on, no secret
        sizes = ROUND_SIZES if seed % 2 else ODD_SIZES
        free = [_server(random, number, sizes) for number in range(SERVERS)]
        share, slant = random.uniform(0.02, 0.4), random.uniform(0.6, 1.0)
        cores = round(share * sum(s.cores for s in free))
        memory = round(share * slant * sum(s.memory_gib for s in free))
        endpoint = Endpoint(vip="10.9.9.9")
        yield Case(
            PoolSpec("p", "1.36.3", cores, memory, ControlPlane(0, endpoint), tolerate=tolerance),
            free,
        )


def _server(random: Random, number: int, sizes: Sequence[tuple[int, int]]) -> Server:
    cores, memory = random.choice(sizes)
    zone, labels = f"rack{random.randrange(4)}", random.choice(LABELS)
    return Server(f"s{number}", f"10.0.0.{number}", cores, memory, zone, "key", labels=labels)


def placed(case: Case) -> float:
    """The cost of the workers that placement picks."""
    roles = place(case.spec, case.free, {}, "tie").roles
    chosen = [s for s in case.free if roles.get(s.name) is Role.WORKER]
    return case.cost(sum(s.cores for s in chosen), sum(s.memory_gib for s in chosen), len(chosen))


def optimum(case: Case) -> tuple[float, bool]:
    """The least cost of workers that hold the request, and whether it is proven; else a bound.

    Variables: whether each server is taken; then, for cores and again for memory, a level and by
    how much each taken server exceeds it.
    """
    count = len(case.free)
    cost = np.zeros(count + 2 * (1 + count))
    cost[:count] = [case.cost(s.cores, s.memory_gib, 1) for s in case.free]
    scale = cost[:count].min()
    rows = list(chain(_outlasts(case), _exceeds(case), _in_order(case)))
    taken = np.arange(len(cost)) < count
    solved = milp(
        cost / scale,
        integrality=taken.astype(int),
        bounds=Bounds(0, np.where(taken, 1, np.inf)),
        constraints=LinearConstraint(
            np.array([row for row, _ in rows]), np.array([least for _, least in rows]), np.inf
        ),
        options={"time_limit": LIMIT_SECONDS, "mip_rel_gap": GAP / 100},
    )
    proven = solved.status == 0
    bound = solved.fun if proven else solved.mip_dual_bound
    if bound is None:
        raise SystemExit(f"HiGHS: {solved.message}")
    return float(bound) * scale, proven


def _outlasts(case: Case) -> Iterator[Row]:
    """Rows by which the request is met after every loss of zones and of servers.

    The worst loss of n servers is the least, over all levels, of n levels plus what exceeds them.
    """
    zones = sorted({s.zone for s in case.free})
    for lost in combinations(zones, case.spec.tolerate.zones):
        remains = np.array([s.zone not in lost for s in case.free], float)
        for resource, (sizes, need) in enumerate(_resources(case)):
            row, level, excess = _row(case, resource)
            row[: len(sizes)] = sizes * remains
            row[level], row[excess] = -case.spec.tolerate.servers, -1
            yield row, need


def _exceeds(case: Case) -> Iterator[Row]:
    for resource, (sizes, _) in enumerate(_resources(case)):
        for server, size in enumerate(sizes):
            row, level, excess = _row(case, resource)
            row[server], row[level], row[excess.start + server] = -size, 1, 1
            yield row, 0.0


def _in_order(case: Case) -> Iterator[Row]:
    """Rows that take servers of one kind in order; without them the solver tries every choice."""
    last: dict[tuple[int, int, str], int] = {}
    for server, s in enumerate(case.free):
        key = s.cores, s.memory_gib, s.zone if case.spec.tolerate.zones else ""
        if key in last:
            row, _, _ = _row(case, 0)
            row[last[key]], row[server] = 1, -1
            yield row, 0.0
        last[key] = server


def _resources(case: Case) -> list[tuple[Numbers, float]]:
    """Cores and memory: how much each server has, and how much is needed."""
    return [
        (np.array([s.cores for s in case.free], float), case.spec.cores),
        (np.array([s.memory_gib for s in case.free], float), case.spec.memory_gib),
    ]


def _row(case: Case, resource: int) -> tuple[Numbers, int, slice]:
    """Zeros for all variables, and where the level and the excesses of a resource are."""
    count = len(case.free)
    level = count + resource * (1 + count)
    return np.zeros(count + 2 * (1 + count)), level, slice(level + 1, level + 1 + count)
