"""`rpool list`: all clusters and all servers of a site, as they are now."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rpool.cli.options import add_json, add_site, as_json
from rpool.errors import one_line

if TYPE_CHECKING:
    from rpool.flow.survey import Clustered, Survey

CLUSTERS = (
    "CLUSTER",
    "UID",
    "VERSION",
    "CORES",
    "GIB",
    "SERVERS",
    "CONDITION",
    "API",
    "OWNER",
)
SERVERS = ("ZONE", "SERVER", "CORES", "GIB", "CLUSTER", "ROLE", "STATE")


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Show every cluster and every server of the site: its cluster, its role there, and why "
        "it is not a spare. Asks all servers; one that does not answer is shown as unreachable."
    )
    parser = commands.add_parser(
        "list", help="show all clusters and servers as they are", description=about
    )
    add_site(parser)
    add_json(parser)
    parser.set_defaults(act=_list)


def _list(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.cli.site_file import site_of

    with closing(site_of(arguments.site)) as site:
        survey = site.survey()
    yield from [as_json(_document(survey))] if arguments.json else _lines(survey)


def _lines(survey: Survey) -> Iterator[str]:
    from rpool.cli.state import place_of, state_of
    from rpool.cli.table import table

    clusters = sorted(survey.clusters.values(), key=lambda cluster: (cluster.name, cluster.uid))
    if clusters:
        yield from table(CLUSTERS, map(_cluster_row, clusters))
        yield from (
            one_line(f"{cluster.name}: {cluster.silent}")
            for cluster in clusters
            if cluster.view is None
        )
        yield ""
    servers = sorted(survey.fleet.servers.values(), key=lambda server: (server.zone, server.name))
    rows, reasons = [], []
    for server in servers:
        place = place_of(server.name, survey)
        whose = (place.cluster, str(place)) if place else ("-", "-")
        size = (str(server.cores), str(server.memory_gib))
        state = state_of(server, survey)
        rows.append((server.zone, server.name, *size, *whose, state.words))
        if state.why:
            reasons.append(one_line(f"{server.name}: {state.words}: {state.why}"))
    yield from table(SERVERS, rows)
    yield ""
    if reasons:
        yield from (*reasons, "")
    free = survey.free
    cores, memory = sum(spare.cores for spare in free), sum(spare.memory_gib for spare in free)
    yield f"Free: {cores} cores and {memory} GiB, on {len(free)} of {len(servers)} servers."
    silent = [name for name, server in survey.servers.items() if server.probed is None]
    if silent:
        yield f"No answer from {len(silent)} of {len(servers)} servers: {', '.join(silent)}."


def _cluster_row(cluster: Clustered) -> tuple[str, ...]:
    from rpool.cli.state import sizes

    view, count = cluster.view, str(len(cluster.claims))
    if view is None:
        return (
            cluster.name,
            cluster.uid,
            "?",
            "?",
            "?",
            count,
            cluster.condition.value,
            "?",
            cluster.owner,
        )
    size = sizes(cluster)
    cores, memory = map("{}, {} wanted".format, size.there, size.wanted)
    nodes = len(cluster.shown_record.pinned)  # by rpool_node, beside its sizing
    servers = f"{len(view.servers)}+{nodes}" if nodes else str(len(view.servers))
    columns = (view.kubernetes_version, cores, memory, servers)
    return (cluster.name, cluster.uid, *columns, view.condition.value, view.endpoint, cluster.owner)


def _document(survey: Survey) -> dict[str, Any]:
    """What `--json` prints; names as in data source rpool_fleet and in rpool_cluster."""
    from rpool.cli.state import cluster_facts, server_facts

    return {
        "clusters": {uid: cluster_facts(cluster) for uid, cluster in survey.clusters.items()},
        "servers": {name: server_facts(name, survey) for name in survey.servers},
        "free_cores": sum(server.cores for server in survey.free),
        "free_memory": sum(server.memory_gib for server in survey.free),
    }
