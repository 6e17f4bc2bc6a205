"""`rpool explain CLUSTER`: why a cluster has these servers, and no others."""

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
OTHERS = ("UNAVAILABLE", "WHY")


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Explain why a cluster has its servers: what would replace each today, what makes that "
        "better or worse, and why other servers are unavailable."
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
    unusable = {name: server.why_no_spare for name, server in survey.servers.items()}
    explanation = explain(cluster.shown_record, survey.fleet, unusable)
    if arguments.json:
        yield as_json(_document(cluster, explanation))
    else:
        yield from _lines(cluster, explanation)


def _lines(cluster: Clustered, explanation: Explanation) -> Iterator[str]:
    from rpool.cli.table import table
    from rpool.decide.rules import outlasting_what

    count = explanation.sizings[0].spec.control_plane.servers
    control_planes = f"{count} control plane{'s' if count > 1 else ''}"
    yield f"Cluster {cluster.name} ({cluster.uid}) requests {control_planes}, and workers:"
    for sizing in explanation.sizings:
        group = f"Group {sizing.group}: " if len(explanation.sizings) > 1 else ""
        yield (
            f"{group}{sizing.spec.cores} cores, {sizing.spec.memory_gib} "
            f"GiB{outlasting_what(sizing.spec)}. It has {sizing.cores} and {sizing.memory_gib}: "
            f"{sizing.beyond_cores} cores and {sizing.beyond_memory_gib} GiB more than needed."
        )
    yield ""
    yield from table(MEMBERS, map(_row, explanation.choices))
    yield ""
    free = ", ".join(
        f"{server.name} {server.cores}/{server.memory_gib}" for server in explanation.free
    )
    yield f"Free for it: {free} (cores/GiB)." if free else "Free for it: no server."
    if explanation.refused:
        yield ""
        yield from table(OTHERS, explanation.refused.items())


def _row(choice: Choice) -> tuple[str, ...]:
    server = choice.server
    size = (choice.group, server.zone, str(server.cores), str(server.memory_gib))
    instead = ", ".join(choice.instead) or "-"
    return (
        server.name,
        choice.role.value,
        *size,
        _share(choice.waste),
        instead,
        _runner_up_waste(choice),
        choice.why,
    )


def _runner_up_waste(choice: Choice) -> str:
    return "-" if choice.waste_instead is None else _share(choice.waste_instead)


def _share(waste: float) -> str:
    return f"{waste * 100:.1f} %"


def _rounded(waste: float | None) -> float | None:
    return None if waste is None else round(waste, 6)


def _document(cluster: Clustered, explanation: Explanation) -> dict[str, Any]:
    return {
        "name": cluster.name,
        "id": cluster.uid,
        "groups": {
            sizing.group: {
                "cores": sizing.spec.cores,
                "memory": sizing.spec.memory_gib,
                "allocated_cores": sizing.cores,
                "allocated_memory": sizing.memory_gib,
                "beyond_cores": sizing.beyond_cores,
                "beyond_memory": sizing.beyond_memory_gib,
            }
            for sizing in explanation.sizings
        },
        "servers": {
            choice.server.name: {
                "role": choice.role.value,
                "group": choice.group,
                "why": choice.why,
                "waste": _rounded(choice.waste),
                "runner_up": list(choice.instead),
                "waste_of_runner_up": _rounded(choice.waste_instead),
            }
            for choice in explanation.choices
        },
        "free": [server.name for server in explanation.free],
        "refused": dict(explanation.refused),
    }
