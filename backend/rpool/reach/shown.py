"""Parses what journal-lines.sh, requests.sh and working.sh print, for people to read.

As in `sightings`, nothing that a server prints is believed.
"""

from __future__ import annotations

from collections.abc import Mapping

from rpool.errors import CommandFailed, printable
from rpool.model.event import MOST_CHARACTERS, Event
from rpool.model.quantity import quantity
from rpool.model.seen import Requested, Working
from rpool.model.server import ServerName
from rpool.reach.sightings import MOST, MOST_NAME


def events(printed: bytes) -> tuple[Event, ...]:
    """The events of a journal. A line that is half written, or a newer rpool's, is left out."""
    lines = printed.decode(errors="replace").splitlines()
    return tuple(event for event in map(Event.of_line, lines) if event is not None)


def working(printed: bytes) -> Working | None:
    """What works on a server, or None. Text of another form counts as something that works."""
    if not (text := printed.decode(errors="replace").strip()):
        return None
    now, _, rest = text.partition(" ")
    since, _, doing = rest.partition(" ")
    try:
        seconds = float(now) - float(since)
    except ValueError:
        return Working("", 0.0)
    return Working(printable(doing[:MOST_CHARACTERS]), min(max(0.0, seconds), MOST))


def requested(server: ServerName, printed: bytes) -> Mapping[ServerName, Requested]:
    """The sums of what pods request on each node. Raises CommandFailed."""
    sums: dict[ServerName, Requested] = {}
    try:
        for line in printed.decode().splitlines():
            node, cores, memory = line.split("\t")
            name = printable(node[:MOST_NAME])
            before = sums.get(name, Requested())
            sums[name] = Requested(
                before.cores + sum(map(quantity, cores.split())),
                before.memory_gib + sum(map(quantity, memory.split())) / 2**30,
                before.pods + 1,
            )
    except ValueError as error:
        summary = f"what {server} reports of its pods cannot be read"
        raise CommandFailed(summary, f"{type(error).__name__}: {str(error)[:200]}") from None
    return sums
