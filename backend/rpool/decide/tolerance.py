"""How many servers of each size hold a request that is to outlast a loss, at the least cost.

Loss of servers is solved exactly: it comes down to plain needs, one for each level
(`outlast_servers`). Loss of zones is solved exactly for one zone while the others stay as they are,
zone by zone in turn (`outlast_zones`). Both always answer if all servers together hold the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import product

from rpool.decide.cover import Cover, Kind
from rpool.model.server import Server

TRIES = 200  # levels of either resource times sizes: a fleet of many sizes gets fewer levels
FILLS = 40  # after so many searches of single zones, no other beginning is tried
BRANCHES = 500  # in each of these searches
BEGINNINGS = (4, 5, 6, 8)  # zones are filled to so many quarters of the even share at first

Amounts = tuple[int, int]
"""Cores and GiB."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Servers of one size (in one zone where zones matter), and what none, one, two, ... cost."""

    zone: str
    cores: int
    memory_gib: int
    costs: tuple[int, ...]

    @property
    def there(self) -> int:
        return len(self.costs) - 1


def left(amounts: Iterable[int], lost: int) -> int:
    """The sum of `amounts` without the `lost` largest: what the worst loss leaves."""
    amounts = list(amounts)
    return sum(amounts) - sum(nlargest(lost, amounts))


def outlast_servers(
    need: Amounts, n: int, held: Sequence[Server], stocks: Sequence[Stock]
) -> list[int]:
    """How many of each stock to add to `held`, so that the need outlasts any loss of n servers.

    Cap what each server counts for at some level: the sum, less n times the level, is at most what
    is left without the n largest, and is exactly that at the level of the n-th largest. So at each
    level the request is a plain need, and the cheapest answer to these is exact. Cores and memory
    have a level each, hence pairs. Without a loss there is one pair.
    """
    held_sizes = [(s.cores, s.memory_gib) for s in held]
    everything = held_sizes + [(s.cores, s.memory_gib) for s in stocks for _ in range(s.there)]
    tries = max(2, TRIES // max(1, len(stocks)))
    covers = []
    for cores, memory in product(
        _levels([cores for cores, _ in everything], n, need[0], tries),
        _levels([memory for _, memory in everything], n, need[1], tries),
    ):
        kinds = [Kind(min(s.cores, cores), min(s.memory_gib, memory), s.costs) for s in stocks]
        missing_cores = need[0] + n * cores - sum(min(c, cores) for c, _ in held_sizes)
        missing_memory = need[1] + n * memory - sum(min(m, memory) for _, m in held_sizes)
        covers.append(Cover(kinds, missing_cores, missing_memory))
    best: tuple[int, list[int]] | None = None
    for cover in sorted(covers, key=lambda cover: cover.bound):
        best = cover.cheapest(below=best[0] if best else None) or best
    return best[1] if best else [stock.there for stock in stocks]


def _levels(amounts: Iterable[int], n: int, need: int, most: int) -> list[int]:
    """At most `most` levels at which all `amounts` together meet the need; only one level where no
    loss is to be outlasted.
    """
    ordered = sorted(amounts)
    below = 0
    enough: list[int] = []
    for at, amount in enumerate(ordered):
        if below + amount * (len(ordered) - at - n) >= need and amount not in enough[-1:]:
            enough.append(amount)
        below += amount
    if not n:
        return enough[-1:]
    step = -(-len(enough) // most) or 1
    return enough[::step]


def outlast_zones(
    need: Amounts, n: int, held: Sequence[Server], stocks: Sequence[Stock]
) -> list[int]:
    """How many of each stock to add to `held`, so that the need outlasts any loss of n zones."""
    return _Zones(need, n, held, stocks).counts()


@dataclass(frozen=True, slots=True)
class _Filled:
    """What a zone has with the servers taken there: their cost, sum, and counts by stock."""

    cost: int
    has: Amounts
    counts: Sequence[int]


class _Zones:
    """Fills zones to outlast the loss of any n of them.

    While all other zones stay as they are, what a zone must have is a plain need. So zones are
    refilled in turn until nothing gets cheaper. The search begins, for each number of zones, with
    zones that have equal amounts, where a loss costs least: as much as is needed, and more, since
    filling one zone further may spare the others more.
    """

    def __init__(
        self, need: Amounts, n: int, held: Sequence[Server], stocks: Sequence[Stock]
    ) -> None:
        self._need, self._n, self._stocks = need, n, stocks
        zones = {stock.zone for stock in stocks} | {s.zone for s in held}
        self._held = dict.fromkeys(sorted(zones), (0, 0))
        for s in held:
            self._held[s.zone] = _sum(self._held[s.zone], (s.cores, s.memory_gib))
        self._of = {zone: [s for s in stocks if s.zone == zone] for zone in self._held}
        self._known: dict[tuple[str, Amounts], _Filled] = {}

    def counts(self) -> list[int]:
        """The number of servers of each stock, in the order given."""
        everything = {zone: self._all(zone) for zone in self._held}
        best = min(self._answers(), key=_cost, default=everything)
        by_zone = {zone: iter(filled.counts) for zone, filled in best.items()}
        return [next(by_zone[stock.zone]) for stock in self._stocks]

    def _answers(self) -> Iterator[dict[str, _Filled]]:
        """Solutions from several beginnings, each in several orders, until FILLS is used up."""
        zones = list(self._held)
        for begin in self._beginnings():
            for first in range(len(zones)):
                yield self._settled(begin, zones[first:] + zones[:first])
                if len(self._known) >= FILLS:
                    return

    def _beginnings(self) -> Iterator[dict[str, _Filled]]:
        """Fillings to begin with: the richest zones, more than n, filled to one level."""
        whole = {zone: self._all(zone).has for zone in self._held}
        richest = sorted(whole, key=lambda zone: whole[zone][0] * whole[zone][1], reverse=True)
        for number in range(len(richest), self._n, -1):
            used = richest[:number]
            cores = _fill_level([whole[zone][0] for zone in used], self._n, self._need[0])
            memory = _fill_level([whole[zone][1] for zone in used], self._n, self._need[1])
            if cores is None or memory is None:
                continue
            for quarters in BEGINNINGS:
                share = cores * quarters // 4, memory * quarters // 4
                yield {z: self._filled(z, share if z in used else (0, 0)) for z in self._held}

    def _settled(self, filled: dict[str, _Filled], turn: Sequence[str]) -> dict[str, _Filled]:
        filled = dict(filled)
        cost = None
        while cost != _cost(filled):
            cost = _cost(filled)
            for zone in turn:
                refilled = self._filled(zone, self._needed(zone, filled))
                filled[zone] = min(filled[zone], refilled, key=lambda f: f.cost)
        return filled

    def _needed(self, zone: str, filled: Mapping[str, _Filled]) -> Amounts:
        others = [filled[z].has for z in filled if z != zone]
        return (
            self._need[0] - left((cores for cores, _ in others), self._n),
            self._need[1] - left((memory for _, memory in others), self._n),
        )

    def _filled(self, zone: str, need: Amounts) -> _Filled:
        """The cheapest filling that meets the need, or the whole zone where it has less."""
        whole = self._all(zone).has
        missing = (
            max(0, min(need[0], whole[0]) - self._held[zone][0]),
            max(0, min(need[1], whole[1]) - self._held[zone][1]),
        )
        if (zone, missing) not in self._known:
            self._known[zone, missing] = self._search(zone, missing)
        return self._known[zone, missing]

    def _search(self, zone: str, missing: Amounts) -> _Filled:
        stocks = self._of[zone]
        kinds = [Kind(stock.cores, stock.memory_gib, stock.costs) for stock in stocks]
        cover = Cover(kinds, *missing).cheapest(branches=BRANCHES)
        if cover is None:
            return self._all(zone)
        has = self._held[zone]
        for stock, count in zip(stocks, cover[1], strict=True):
            has = _sum(has, (count * stock.cores, count * stock.memory_gib))
        return _Filled(cover[0], has, cover[1])

    def _all(self, zone: str) -> _Filled:
        stocks, has = self._of[zone], self._held[zone]
        for stock in stocks:
            has = _sum(has, (stock.there * stock.cores, stock.there * stock.memory_gib))
        return _Filled(sum(s.costs[-1] for s in stocks), has, [s.there for s in stocks])


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return one[0] + other[0], one[1] + other[1]


def _cost(filled: Mapping[str, _Filled]) -> int:
    return sum(f.cost for f in filled.values())


def _fill_level(amounts: Iterable[int], n: int, need: int) -> int | None:
    """The level up to which zones must be filled to meet the need without n of them; a zone that
    has less is taken whole. None if no level is enough.
    """
    ordered = sorted(amounts)
    for at, amount in enumerate(ordered[: len(ordered) - n]):
        level = -(-need // (len(ordered) - at - n))
        if level <= amount:
            return level
        need -= amount
    return None
