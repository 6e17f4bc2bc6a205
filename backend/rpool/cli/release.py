"""`rpool release`: a server that no apply gives back, or that was set aside, is a spare again."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rpool.cli.options import add_site


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Let clusters take a server again that was set aside, or at which something has failed. "
        "With --claim: wipe a server whose cluster let it go or is gone, and give its claim up."
    )
    parser = commands.add_parser("release", help=about, description=about)
    parser.add_argument("server", metavar="SERVER", help="its name in the fleet")
    parser.add_argument("--claim", metavar="UID", help="the uid of the cluster that claims it")
    add_site(parser)
    parser.set_defaults(act=_release)


def _release(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.api import Attempt
    from rpool.cli.site_file import site_of

    said: list[str] = []
    with closing(site_of(arguments.site)) as site:
        if arguments.claim is None:
            failures = site.lift(arguments.server)
            yield f"{arguments.server} is a spare again. Forgotten:"
            yield from map(str, failures)
            return
        attempt = Attempt(timeout_seconds=900, warn=said.append)
        claim = site.release(arguments.server, arguments.claim, attempt)
    yield f"{arguments.server} is clean and a spare; it was claimed by cluster {claim.pool}."
    yield from said
