"""How many servers of each kind cover a need of cores and memory at the least cost.

A fleet has few kinds of server, so the search is over *how many of each*: branch and bound, exact
unless it is cut off after a fixed number of branches (never a time, so that the same input always
gives the same answer). The bound makes it short. Suppose servers could be cut in pieces: then a
core and a GiB have prices (the dual of that linear program), and the rest of a need costs at least
what it is worth at these prices. A kind that is expensive at them is hardly ever taken, a cheap one
hardly ever left out. Such kinds are decided first, so the first descent is already a good answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

BRANCHES = 4_000
FINENESS = 14  # steps of the search for the best prices; each narrows it by a third


@dataclass(frozen=True, slots=True)
class Kind:
    """Servers that are alike: what one adds in cores and memory (GiB), and what none, one, two, ...
    of them cost. Each further one costs at least as much as the one before.
    """

    cores: int
    memory_gib: int
    costs: tuple[int, ...]

    @property
    def there(self) -> int:
        return len(self.costs) - 1

    @property
    def each(self) -> int:
        """The cost of the cheapest one."""
        return self.costs[1] if self.there else 0


@dataclass(frozen=True, slots=True)
class Prices:
    """What a core and a GiB are worth, which gives the least cost of a need."""

    core: int
    gib: int

    def worth(self, cores: int, memory_gib: int) -> int:
        return cores * self.core + memory_gib * self.gib

    def excess(self, kind: Kind) -> int:
        """What one of a kind costs beyond its worth; below zero, it is a bargain."""
        return kind.each - self.worth(kind.cores, kind.memory_gib)

    def bargains(self, kinds: Sequence[Kind]) -> list[int]:
        """The most that the kinds from each position on can save; one longer than `kinds`."""
        saved = [0]
        for kind in reversed(kinds):
            saved.append(saved[-1] + kind.there * min(0, self.excess(kind)))
        return saved[::-1]


class Cover:
    """One need (cores and GiB) and the kinds to cover it with; all together must be enough."""

    def __init__(self, kinds: Sequence[Kind], cores: int, memory_gib: int) -> None:
        self._need = max(0, cores), max(0, memory_gib)
        self._kinds = kinds
        self._prices = _prices(kinds, *self._need)
        self.bound = max(p.worth(*self._need) + p.bargains(kinds)[0] for p in self._prices)
        """No cover costs less."""

    def cheapest(
        self, below: int | None = None, branches: int = BRANCHES
    ) -> tuple[int, list[int]] | None:
        """Cost and counts by kind of the best cover found; None if none costs less than `below`."""
        best = below if below is not None else 1 + sum(kind.costs[-1] for kind in self._kinds)
        best_counts: _Counts | None = None
        order = sorted(range(len(self._kinds)), key=self._certainty, reverse=True)
        turns = _turns([self._kinds[i] for i in order], self._prices)
        reached: dict[tuple[int, int, int], int] = {}
        # the turn, missing cores and memory, cost and counts so far (the last count first)
        stack: list[tuple[int, int, int, int, _Counts]] = [(0, *self._need, 0, ())]
        while stack and len(reached) < branches:
            at, cores, memory, cost, counts = stack.pop()
            if cost >= reached.get((at, cores, memory), best):
                continue
            reached[at, cores, memory] = cost
            if not cores and not memory:
                best, best_counts = cost, counts
                continue
            turn = turns[at]
            for count in turn.promising(cores, memory, best - cost):
                left = cores - count * turn.cores, memory - count * turn.memory
                spent = cost + turn.costs[count]
                stack.append((at + 1, max(0, left[0]), max(0, left[1]), spent, (count, counts)))
        if best_counts is None:
            return None
        by_kind = dict(zip(order, _unrolled(best_counts), strict=False))
        return best, [by_kind.get(i, 0) for i in range(len(self._kinds))]

    def _certainty(self, index: int) -> tuple[int, int, int]:
        """A sort key: how clear it is whether to take a kind. The rest makes the order unique."""
        kind = self._kinds[index]
        return abs(self._prices[-1].excess(kind)), kind.cores, kind.memory_gib


_Counts: TypeAlias = "tuple[()] | tuple[int, _Counts]"


def _unrolled(counts: _Counts) -> list[int]:
    unrolled = []
    while counts:
        count, counts = counts
        unrolled.append(count)
    return unrolled[::-1]


@dataclass(frozen=True, slots=True)
class _Turn:
    """Where the search decides how many of one kind to take, and what the kinds after it can do."""

    cores: int
    memory: int
    costs: tuple[int, ...]
    core_step: int  # divides the cores of this kind and of those after it
    memory_step: int
    later_cores: int
    later_memory: int
    prices: tuple[tuple[int, int, int, int], ...]  # core, GiB, excess, bargains after this kind

    def promising(self, cores: int, memory: int, budget: int) -> Sequence[int]:
        """Counts that still allow a cover for less than the budget, the most promising last."""
        cores = _ceil(cores, self.core_step) * self.core_step
        memory = _ceil(memory, self.memory_step) * self.memory_step
        most = max(_ceil(cores, self.cores), _ceil(memory, self.memory))
        most = min(most, len(self.costs) - 1)
        least = max(
            _ceil(cores - self.later_cores, self.cores),
            _ceil(memory - self.later_memory, self.memory),
        )
        excess = 0
        for core, gib, excess, saved in self.prices:
            slack = budget - cores * core - memory * gib - saved  # count * excess must be below it
            if excess > 0:
                most = min(most, (slack - 1) // excess)
            elif excess < 0:
                least = max(least, slack // excess + 1)
            elif slack <= 0:
                return ()
        counts = range(least, most + 1)
        return counts if excess < 0 else counts[::-1]


def _turns(kinds: Sequence[Kind], prices: Sequence[Prices]) -> list[_Turn]:
    turns: list[_Turn] = []
    core_step = memory_step = later_cores = later_memory = 0
    saved = [0] * len(prices)
    for kind in reversed(kinds):
        core_step, memory_step = gcd(core_step, kind.cores), gcd(memory_step, kind.memory_gib)
        excess = [p.excess(kind) for p in prices]
        priced = zip((p.core for p in prices), (p.gib for p in prices), excess, saved, strict=True)
        turns.append(
            _Turn(
                kind.cores,
                kind.memory_gib,
                kind.costs,
                core_step,
                memory_step,
                later_cores,
                later_memory,
                tuple(priced),
            )
        )
        later_cores += kind.there * kind.cores
        later_memory += kind.there * kind.memory_gib
        saved = [s + kind.there * min(0, e) for s, e in zip(saved, excess, strict=True)]
    return turns[::-1]


def _ceil(need: int, size: int) -> int:
    return max(0, -(-need // size)) if size else 0


def _prices(kinds: Sequence[Kind], cores: int, memory_gib: int) -> list[Prices]:
    """Prices that bound the cost of a need well, the best last: of cores alone, of memory alone,
    and of both.

    The bound is best at one mix of the two, and gets worse away from it, so ternary search finds
    the best mix. Any prices give a true bound, so floats may choose them.
    """
    low, high = 0.0, 1.0
    for _ in range(FINENESS):
        third = (high - low) / 3
        one, other = low + third, high - third
        if _at(kinds, cores, memory_gib, one)[0] < _at(kinds, cores, memory_gib, other)[0]:
            low = one
        else:
            high = other
    mixes = [_at(kinds, cores, memory_gib, mix) for mix in (0.0, 1.0, (low + high) / 2)]
    return [prices for _, prices in sorted(mixes, key=lambda mix: mix[0])]


def _at(kinds: Sequence[Kind], cores: int, memory_gib: int, mix: float) -> tuple[float, Prices]:
    """The bound and prices when cores and memory are one good: `mix` (0 to 1) of it is memory.

    The good is bought where it is cheapest first; its price is that of the last piece.
    """
    core = (1 - mix) / cores if cores > 0 else 0.0
    gib = mix / memory_gib if memory_gib > 0 else 0.0
    sizes = ((k.cores * core + k.memory_gib * gib, k) for k in kinds if k.there)
    offers = sorted((k.each / size, k.there * size) for size, k in sizes if size > 0)
    missing = (1 - mix) * (cores > 0) + mix * (memory_gib > 0)
    cost = price = 0.0
    for price, size in offers:
        cost += price * min(size, missing)
        missing -= size
        if missing <= 0:
            break
    return cost, Prices(int(price * core), int(price * gib))
