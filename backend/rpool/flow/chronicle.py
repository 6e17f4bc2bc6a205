"""What happened to a cluster, from the journals that its control planes keep."""

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
    """The last events of all journals together, each one once: a control plane has all since it was
    claimed, so most are on several of them.
    """
    journals, silent = ask_at_once(partial(world.journal, most_lines=most_lines), servers)
    events = dict.fromkeys(event for journal in journals.values() for event in journal)
    in_order = sorted(events, key=lambda event: event.time)
    return Chronicle(tuple(in_order[-most_lines:]), silent)
