"""`rpool release`: turns a server that was set aside, or that no apply gives back, into a spare."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rpool.cli.completion import add_server
from rpool.cli.options import add_json, add_site, as_json


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Make a server available again that was quarantined, or on which something failed. With "
        "--claim: wipe a server whose cluster abandoned it or is gone, and remove its claim."
    )
    brief = "make a failed or abandoned server available again"
    parser = commands.add_parser("release", help=brief, description=about)
    add_server(parser)
    parser.add_argument("--claim", metavar="UID", help="the uid of the cluster that claims it")
    add_site(parser)
    add_json(parser)
    parser.set_defaults(act=_release)


def _release(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.api import Attempt
    from rpool.cli.site_file import site_of

    server: str = arguments.server
    warnings: list[str] = []
    with closing(site_of(arguments.site)) as site:
        if arguments.claim is None:
            forgotten = [str(failure) for failure in site.lift(server)]
            lines = [f"{server} is a spare again. Forgotten:", *forgotten]
            facts = {"server": server, "forgotten": forgotten}
        else:
            attempt = Attempt(timeout_seconds=900, warn=warnings.append)
            claim = site.release(server, arguments.claim, attempt)
            claimed = f"it was claimed by cluster {claim.pool}"
            lines = [f"{server} is clean and a spare; {claimed}.", *warnings]
            facts = {
                "server": server,
                "cluster": claim.pool,
                "cluster_id": claim.uid,
                "said": warnings,
            }
    yield from [as_json(facts)] if arguments.json else lines
