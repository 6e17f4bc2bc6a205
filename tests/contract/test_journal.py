"""A server keeps its cluster's journal from its claim to its reset, and shows the end of it."""

from __future__ import annotations

from worlds.samples import OURS

from contract.half import HERE, Half
from rpool.model import action as act
from rpool.model.event import Event, Result

EVENTS = tuple(
    Event(f"2026-11-30T10:02:1{n}", "batch", HERE, f"step {n}", Result.DONE, 1.5, 'it\'s "so"')
    for n in range(5)
)


def test_a_journal_is_shown_as_it_was_written(half: Half) -> None:
    half.claim()
    half.act(act.AppendJournal(HERE, OURS, tuple(event.as_json() for event in EVENTS)))
    assert half.world.journal(HERE, 100) == EVENTS
    assert half.world.journal(HERE, 2) == EVENTS[-2:]


def test_a_server_without_a_journal_shows_none(half: Half) -> None:
    assert half.world.journal(HERE, 100) == ()


def test_what_is_no_line_of_ours_is_left_out(half: Half) -> None:
    half.claim()
    half.act(act.AppendJournal(HERE, OURS, ("nonsense", EVENTS[0].as_json(), '{"format": 1')))
    assert half.world.journal(HERE, 100) == EVENTS[:1]
