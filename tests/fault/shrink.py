"""The fewest rounds, faults and events of a schedule that still break a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fault.schedule import Round, Schedule

Rounds = tuple[Round, ...]


def breaks(rounds: Rounds) -> bool:
    return bool(Schedule(rounds).run().broken)


def shrunk(rounds: Rounds, fails: Callable[[Rounds], bool] = breaks) -> Rounds:
    """Rounds of which none, and nothing in them, can be left out without their passing."""
    while (less := next((its for its in _less(rounds) if fails(its)), None)) is not None:
        rounds = less
    return rounds


def _less(rounds: Rounds) -> Iterator[Rounds]:
    """With one thing less: whole rounds first, which are the most."""
    for i in range(len(rounds)):
        yield rounds[:i] + rounds[i + 1 :]
    for i, its in enumerate(rounds):
        for smaller in _smaller(its):
            yield (*rounds[:i], smaller, *rounds[i + 1 :])


def _smaller(its: Round) -> Iterator[Round]:
    if its.event:
        yield replace(its, event="")
    for i in range(len(its.faults)):
        yield replace(its, faults=its.faults[:i] + its.faults[i + 1 :])
