"""The fewest rounds, faults and events of a schedule that still break a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fault.schedule import Round, Schedule

Rounds = tuple[Round, ...]


def breaks(rounds: Rounds) -> bool:
    return bool(Schedule(rounds).run().broken)


def shrunk(rounds: Rounds, fails: Callable[[Rounds], bool] = breaks) -> Rounds:
    """The fewest rounds that fail: without any one round, fault or event of these they pass."""
    while (less := next((r for r in _less(rounds) if fails(r)), None)) is not None:
        rounds = less
    return rounds


def _less(rounds: Rounds) -> Iterator[Rounds]:
    """Yields the rounds with one thing less: first without a whole round, which is the most."""
    for i in range(len(rounds)):
        yield rounds[:i] + rounds[i + 1 :]
    for i, round_ in enumerate(rounds):
        for smaller in _smaller(round_):
            yield (*rounds[:i], smaller, *rounds[i + 1 :])


def _smaller(round_: Round) -> Iterator[Round]:
    if round_.event:
        yield replace(round_, event="")
    for i in range(len(round_.faults)):
        yield replace(round_, faults=round_.faults[:i] + round_.faults[i + 1 :])
