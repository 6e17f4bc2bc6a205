"""`rpool explain CLUSTER`: why a cluster has these servers, and not others."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rpool.cli.options import add_cluster, add_json, add_site, as_json

if TYPE_CHECKING:
    from rpool.decide.explain import Choice, Explanation

MEMBERS = ("SERVER", "ROLE", "ZONE", "CORES", "GIB", "WASTE", "RUNNER-UP", "ITS WASTE", "WHY")
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
    record = cluster.shown_record
    found = explain(record, survey.fleet, unusable)
    groups = {name: explain(record, survey.fleet, unusable, name) for name in record.spec.groups}
    if arguments.json:
        more = {name: _document(its) for name, its in groups.items()}
        whole = {"name": cluster.name, "id": cluster.uid, **_document(found), "workers": more}
        yield as_json(whole)
        return
    count = found.spec.control_plane.servers
    planes = f"{count} control plane{'s' if count > 1 else ''} and "
    yield from _lines(f"Cluster {cluster.name} ({cluster.uid}) is to have {planes}", found)
    for name, its in groups.items():
        yield ""
        yield from _lines(f"Its group {name} is to have ", its)


def _lines(beginning: str, found: Explanation) -> Iterator[str]:
    from rpool.cli.table import table
    from rpool.decide.rules import outlasting_what

    spec = found.spec
    size = f"{spec.cores} cores, {spec.memory_gib} GiB of workers{outlasting_what(spec)}"
    yield f"{beginning}{size}."
    yield (
        f"Its workers have {found.cores} cores and {found.memory_gib} GiB: {found.beyond_cores} "
        f"cores and {found.beyond_memory_gib} GiB beyond that."
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
    size = (server.zone, str(server.cores), str(server.memory_gib))
    instead = ", ".join(its.instead) or "-"
    return (server.name, its.role.value, *size, _share(its.waste), instead, _other(its), its.why)


def _other(its: Choice) -> str:
    return "-" if its.waste_instead is None else _share(its.waste_instead)


def _share(waste: float) -> str:
    return f"{waste * 100:.1f} %"


def _document(found: Explanation) -> dict[str, Any]:
    return {
        "cores": found.spec.cores,
        "memory": found.spec.memory_gib,
        "allocated_cores": found.cores,
        "allocated_memory": found.memory_gib,
        "beyond_cores": found.beyond_cores,
        "beyond_memory": found.beyond_memory_gib,
        "servers": {
            its.server.name: {
                "role": its.role.value,
                "why": its.why,
                "waste": round(its.waste, 6),
                "runner_up": list(its.instead),
                "waste_of_runner_up": its.waste_instead,
            }
            for its in found.choices
        },
        "free": [its.name for its in found.free],
        "refused": dict(found.refused),
    }
