"""`rpool watch CLUSTER`: a cluster live, and what is being done to it, from anywhere."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from rpool.cli.options import add_cluster, add_json, add_site
from rpool.errors import Refused, RpoolError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rpool.api import Site
    from rpool.cli.picture import Slot
    from rpool.flow.survey import Clustered
    from rpool.model.event import Event

EACH_SECONDS = 1.0
SERVERS_EACH_SECONDS = 5.0
SHARE_OF_TIME = 5
"""Looks at a large fleet take long: they take at most one second in five."""

LINES = 200
EVENTS_SHOWN = 12
LONGEST_STEP_SECONDS = 3600.0
"""A step that has not ended by then was cut off with its operation."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was observed: the cluster's servers, and the end of its journal."""

    cluster: Clustered
    slots: tuple[Slot, ...]
    events: tuple[Event, ...]
    at: datetime


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Watch a cluster live, and what an apply is doing to it, wherever that runs. Ctrl-C "
        "ends it."
    )
    parser = commands.add_parser("watch", help="watch a cluster live", description=about)
    add_cluster(parser)
    add_site(parser)
    add_json(parser)
    parser.set_defaults(act=_watch)


def _watch(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.cli.site_file import SIMULATED, site_of

    if not arguments.json and not sys.stdout.isatty():
        name = arguments.cluster
        advice = f"In a pipe: rpool journal {name} --follow, or rpool watch {name} --json."
        raise Refused("rpool watch needs a terminal to draw on", advice)
    with closing(site_of(arguments.site)) as site:
        every_look = looks(site, arguments.cluster)
        if arguments.json:
            yield from map(_document, every_look)
            return
        from rich.live import Live

        # Before the screen is ours, so that its stderr stays on the terminal.
        first = next(every_look)
        head = SIMULATED if site.config.simulated else ""
        with Live(screen=True, auto_refresh=False) as live:
            for look in chain([first], every_look):
                live.update(drawn(look, head), refresh=True)


def looks(
    site: Site,
    uid_or_name: str,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Look]:
    """A look each second, for ever; the servers are asked less often. Raises SpecError when there
    is no such cluster. A cluster that is gone later is shown as it was last.
    """
    cluster: Clustered | None = None
    slots: tuple[Slot, ...] = ()
    next_time = -1.0
    while True:
        if clock() >= next_time:
            begun = clock()
            cluster, slots = _servers(site, cluster, uid_or_name)
            took = clock() - begun
            next_time = clock() + max(SERVERS_EACH_SECONDS, SHARE_OF_TIME * took)
        assert cluster is not None  # noqa: S101 the first look has found it
        events = site.journal(cluster.control_planes, LINES).events
        yield Look(cluster, slots, events, datetime.now(UTC))
        wait(EACH_SECONDS)


def _servers(
    site: Site, last: Clustered | None, uid_or_name: str
) -> tuple[Clustered, tuple[Slot, ...]]:
    from rpool.cli.picture import slots

    survey = site.survey()
    try:
        cluster = survey.cluster(last.uid if last else uid_or_name)
    except RpoolError:
        if last is None:
            raise
        return last, ()
    requested = None
    if cluster.through and not site.config.simulated:
        try:
            requested = site.requested(cluster.through)
        except RpoolError:  # the API goes away and comes back, in an apply
            requested = None
    every = slots(survey, cluster, requested)
    return cluster, tuple(slot for slot in every if slot.kind not in ("spare", "other"))


def under_way(events: Sequence[Event], at: datetime) -> list[tuple[Event, float]]:
    """Steps that have started and not ended, each with its seconds so far."""
    begun: dict[tuple[str, str], Event] = {}
    for event in events:
        if event.outcome.value == "started":
            begun[event.step, event.server] = event
        else:
            begun.pop((event.step, event.server), None)
    since = [(event, _seconds_since(event.time, at)) for event in begun.values()]
    return [(event, seconds) for event, seconds in since if seconds < LONGEST_STEP_SECONDS]


def _seconds_since(time_: str, at: datetime) -> float:
    try:
        return max(0.0, (at - datetime.fromisoformat(time_)).total_seconds())
    except (ValueError, TypeError):
        return LONGEST_STEP_SECONDS


def drawn(look: Look, head: str = "") -> RenderableType:
    """The look as a screen, below the line `head`."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from rpool.cli.journal import lines
    from rpool.cli.picture import as_text
    from rpool.cli.show import titles

    parts: list[RenderableType] = [Text(head, "yellow")] if head else []
    parts += [Text(title, "bold") for title in titles(look.cluster)]
    parts += [Text(), *map(Text, as_text(look.slots)), Text()]
    steps = under_way(look.events, look.at)
    if steps:
        table = Table("UNDER WAY", "SINCE", "BY", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for event, seconds in steps:
            table.add_row(Text(event.step, "yellow"), f"{seconds:.0f} s", Text(event.owner))
        parts += [table, Text()]
    else:
        parts += [Text("Nothing is under way.", "dim"), Text()]
    parts += [_coloured(line) for line in lines(look.events[-EVENTS_SHOWN:])]
    return Group(*parts)


def _coloured(line: str) -> RenderableType:
    from rich.text import Text

    return Text(line, "red" if " failed in " in line else "dim")


def _document(look: Look) -> str:
    from rpool.cli.state import cluster_facts

    steps = under_way(look.events, look.at)
    facts = {
        **cluster_facts(look.cluster),
        "id": look.cluster.uid,
        "slots": [asdict(slot) for slot in look.slots],
        "under_way": [
            {
                "step": event.step,
                "server": event.server,
                "owner": event.owner,
                "seconds": round(seconds, 1),
            }
            for event, seconds in steps
        ],
    }
    return json.dumps(facts)
