"""`rpool show CLUSTER`: a picture of a cluster by zone: its servers, how full they are, spares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rpool.cli.options import add_cluster, add_json, add_site, as_json
from rpool.errors import RpoolError, one_line

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.flow.survey import Clustered
    from rpool.model.seen import Requested


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Show a cluster by zone, among all servers of its site: which server is where, how much "
        "of its cores and memory pods request, and what is spare."
    )
    parser = commands.add_parser(
        "show", help="show a picture of a cluster by zone", description=about
    )
    add_cluster(parser)
    parser.add_argument("--svg", action="store_true", help="print the picture as SVG")
    add_site(parser)
    add_json(parser)
    parser.set_defaults(act=_show)


def _show(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.cli.picture import as_svg, as_text, slots
    from rpool.cli.site_file import site_of
    from rpool.cli.state import cluster_facts

    with closing(site_of(arguments.site)) as site:
        survey = site.survey()
        cluster = survey.cluster(arguments.cluster)
        requested = None if site.config.simulated else _requested(site, cluster)
    picture = slots(survey, cluster, requested)
    if arguments.json:
        as_dicts = [asdict(slot) for slot in picture]
        yield as_json(cluster_facts(cluster) | {"id": cluster.uid, "slots": as_dicts})
    elif arguments.svg:
        yield from as_svg(list(titles(cluster)), picture)
    else:
        yield from titles(cluster)
        yield ""
        yield from as_text(picture)
        if requested is not None:
            yield ""
            yield "The bars: how much of the node's cores and memory pods request."


def _requested(site: Site, cluster: Clustered) -> Mapping[str, Requested] | None:
    """What pods request of each node; None when unknown: the rest is shown all the same."""
    if not cluster.through:
        return None
    try:
        return site.requested(cluster.through)
    except RpoolError as error:
        print(f"What pods request is not known: {error.summary}", file=sys.stderr)
        return None


def titles(cluster: Clustered) -> Iterator[str]:
    """Two lines: the cluster and its condition, and its size."""
    from rpool.cli.state import sizes

    view = cluster.view
    if view is None:
        yield one_line(f"Cluster {cluster.name} ({cluster.uid}): {cluster.condition.value}")
        why = cluster.silent if cluster.is_half else f"its API does not answer: {cluster.silent}"
        yield one_line(why[0].upper() + why[1:])
        return
    yield (
        f"Cluster {cluster.name} ({cluster.uid}): {view.condition.value}, Kubernetes "
        f"{view.kubernetes_version}, API {view.endpoint}"
    )
    yield str(sizes(cluster))
