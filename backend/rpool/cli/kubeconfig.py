"""`rpool kubeconfig`: the way into a cluster, for kubectl and all that reads a kubeconfig."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = "Print a kubeconfig of a cluster, with a client certificate that ends soon."
    parser = commands.add_parser("kubeconfig", help=about, description=about)
    parser.add_argument("cluster", metavar="CLUSTER", help="its name, or its uid")
    parser.add_argument(
        "--site",
        type=Path,
        default=Path("site.yaml"),
        help="what the provider block has, as YAML (default: %(default)s)",
    )
    parser.set_defaults(act=_kubeconfig)


def _kubeconfig(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool import kubeconfig
    from rpool.cli.site_file import site_of

    with closing(site_of(arguments.site)) as site:
        identity = site.identity({})
        entrance = site.entrance(arguments.cluster)
        credential = site.credential(entrance, identity)
    user = kubeconfig.with_certificate(credential)
    document = kubeconfig.kubeconfig(kubeconfig.context_name(entrance), entrance, user)
    yield kubeconfig.text(document).rstrip("\n")
