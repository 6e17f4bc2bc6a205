"""`rpool explain CLUSTER`: why a cluster has these servers, and not others."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rpool.cli.options import add_cluster, add_json, add_site, as_json

if TYPE_CHECKING:
    from rpool.decide.explain import Choice, Explanation
    from rpool.flow.survey import Clustered

MEMBERS = (
    *("SERVER", "ROLE", "GROUP", "ZONE", "CORES", "GIB"),
    *("WASTE", "RUNNER-UP", "ITS WASTE", "WHY"),
)
OTHERS = ("NOT TO BE HAD", "WHY")


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Why a cluster has the servers that it has: what would take the place of each today, what "
        "makes it better or worse, and why no other server can be had."
    )
    parser = commands.add_parser(
        "explain", help="why a cluster has these servers", description=about
    )
    add_cluster(parser)
    add_site(parser)
    add_json(parser)
    parser.set_defaults(act=_explain)


def _explain(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.cli.site_file import site_of
    from rpool.decide.explain import explain

    with closing(site_of(arguments.site)) as site:
        survey = site.survey()
    cluster = survey.cluster(arguments.cluster)
    unusable = {name: its.why_no_spare for name, its in survey.servers.items()}
    found = explain(cluster.shown_record, survey.fleet, unusable)
    if arguments.json:
        yield as_json(_document(cluster, found))
    else:
        yield from _lines(cluster, found)


def _lines(cluster: Clustered, found: Explanation) -> Iterator[str]:
    from rpool.cli.table import table
    from rpool.decide.rules import outlasting_what

    count = found.sizings[0].spec.control_plane.servers
    planes = f"{count} control plane{'s' if count > 1 else ''}"
    yield f"Cluster {cluster.name} ({cluster.uid}) is to have {planes}, and workers:"
    for its in found.sizings:
        group = f"Group {its.group}: " if len(found.sizings) > 1 else ""
        yield (
            f"{group}{its.spec.cores} cores, {its.spec.memory_gib} GiB"
            f"{outlasting_what(its.spec)}. There are {its.cores} and {its.memory_gib}: "
            f"{its.beyond_cores} cores and {its.beyond_memory_gib} GiB beyond that."
        )
    yield ""
    yield from table(MEMBERS, map(_row, found.choices))
    yield ""
    free = ", ".join(f"{its.name} {its.cores}/{its.memory_gib}" for its in found.free)
    yield f"Free for it: {free} (cores/GiB)." if free else "Free for it: no server."
    if found.refused:
        yield ""
        yield from table(OTHERS, found.refused.items())


def _row(its: Choice) -> tuple[str, ...]:
    server = its.server
    size = (its.group, server.zone, str(server.cores), str(server.memory_gib))
    instead = ", ".join(its.instead) or "-"
    return (server.name, its.role.value, *size, _share(its.waste), instead, _other(its), its.why)


def _other(its: Choice) -> str:
    return "-" if its.waste_instead is None else _share(its.waste_instead)


def _share(waste: float) -> str:
    return f"{waste * 100:.1f} %"


def _rounded(waste: float | None) -> float | None:
    return None if waste is None else round(waste, 6)


def _document(cluster: Clustered, found: Explanation) -> dict[str, Any]:
    return {
        "name": cluster.name,
        "id": cluster.uid,
        "groups": {
            its.group: {
                "cores": its.spec.cores,
                "memory": its.spec.memory_gib,
                "allocated_cores": its.cores,
                "allocated_memory": its.memory_gib,
                "beyond_cores": its.beyond_cores,
                "beyond_memory": its.beyond_memory_gib,
            }
            for its in found.sizings
        },
        "servers": {
            its.server.name: {
                "role": its.role.value,
                "group": its.group,
                "why": its.why,
                "waste": _rounded(its.waste),
                "runner_up": list(its.instead),
                "waste_of_runner_up": _rounded(its.waste_instead),
            }
            for its in found.choices
        },
        "free": [its.name for its in found.free],
        "refused": dict(found.refused),
    }
