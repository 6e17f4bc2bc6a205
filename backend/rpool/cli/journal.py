"""`rpool journal CLUSTER`: what was done to a cluster, by whom, and with which outcome."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rpool.cli.options import add_cluster, add_json, add_site
from rpool.errors import one_line

if TYPE_CHECKING:
    from rpool.flow.chronicle import Chronicle
    from rpool.model.event import Event

LINES = 100
EACH_SECONDS = 2.0
_STEP_WIDTH = 24


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = "Show what was done to a cluster, newest last, as its control planes recorded it."
    parser = commands.add_parser(
        "journal", help="show what was done to a cluster", description=about
    )
    add_cluster(parser)
    parser.add_argument("--follow", action="store_true", help="wait for new entries, until Ctrl-C")
    parser.add_argument(
        "--lines",
        type=_count,
        default=LINES,
        metavar="N",
        help="number of entries (default: %(default)s)",
    )
    add_site(parser)
    add_json(parser)
    parser.set_defaults(act=_journal)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError("must be a number from 1 to 100000")
    return int(text)


def _journal(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.cli.site_file import site_of

    with closing(site_of(arguments.site)) as site:
        servers = site.survey().cluster(arguments.cluster).control_planes

        def look() -> Chronicle:
            return site.journal(servers, arguments.lines)

        first = look()
        for name, error in sorted(first.silent.items()):
            print(f"No answer from {name}: {error.summary}", file=sys.stderr)
        events = told(first, look) if arguments.follow else first.events
        yield from (event.as_json() for event in events) if arguments.json else lines(events)


def told(
    chronicle: Chronicle,
    look: Callable[[], Chronicle],
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Each event once, for ever. A control plane that does not answer is asked again: the others
    have its events, too.
    """
    yielded: set[Event] = set()
    while True:
        new = [event for event in chronicle.events if event not in yielded]
        yielded.update(new)
        yield from new
        wait(EACH_SECONDS)
        chronicle = look()


def lines(events: Iterable[Event]) -> Iterator[str]:
    """A line for each event, and a heading for all that one owner did in one run."""
    by = None
    for event in events:
        if by != (event.owner, event.run):
            by = (event.owner, event.run)
            yield one_line(f"-- {' '.join(by) or 'unknown'}")
        took = f" in {event.seconds:.1f} s" if event.outcome.value != "started" else ""
        why = f": {event.detail}" if event.detail else ""
        at = one_line(event.time[:19].replace("T", " "))
        yield (
            f"{at}  {one_line(event.step):{_STEP_WIDTH}} {event.outcome.value}{took}{one_line(why)}"
        )
