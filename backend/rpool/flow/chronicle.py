"""What happened to a cluster, out of the journals that its control planes keep."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from rpool.flow.look import Silent, ask_at_once
from rpool.model.event import Event
from rpool.model.server import ServerName
from rpool.model.world import World


@dataclass(frozen=True, slots=True)
class Chronicle:
    """Events in the order of their times, and the control planes that did not show theirs."""

    events: tuple[Event, ...]
    silent: Silent


def chronicle(world: World, servers: Collection[ServerName], most_lines: int) -> Chronicle:
    """The last lines of all journals together. A control plane has those since it was claimed, so
    each line is on several of them, and is told once.
    """
    answers, silent = ask_at_once(partial(world.journal, most_lines=most_lines), servers)
    events = dict.fromkeys(event for its in answers.values() for event in its)
    in_order = sorted(events, key=lambda event: event.time)
    return Chronicle(tuple(in_order[-most_lines:]), silent)
