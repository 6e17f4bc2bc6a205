"""Data source `rpool_cluster`: a cluster of the site as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rpool.errors import Problem, SpecError
from rpool.model.seen import NodeSeen
from rpool.model.server import Role
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources import cluster_state
from rpool_provider.resources.cluster_data_schema import CLUSTER_DATA
from rpool_provider.resources.resource import Values
from rpool_provider.schema import Schema
from rpool_provider.wire.unknown import is_wholly_known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rpool.api import Site


class ClusterData:
    name = "rpool_cluster"
    schema: Schema = CLUSTER_DATA

    def validate(self, config: Values) -> list[Diagnostic]:
        name, id_ = config["name"], config["id"]
        if not is_wholly_known([name, id_]) or (name is None) != (id_ is None):
            return []
        rule = "needs exactly one of name and id"
        problem = Problem((), f"data source rpool_cluster {rule}", "id is the cluster's uid.")
        return diagnostic.of_error(SpecError([problem]))

    def read(self, config: Values, site: Site) -> Values:
        key = "name" if config["id"] is None else "id"
        pool = site.find_pool(config[key])
        facts = cluster_state.with_view({}, pool.view)
        if facts[key] != config[key]:
            summary = f"no cluster of this site has the {key} {config[key]}"
            detail = f"There is a cluster {facts['name']} with the id {facts['id']}."
            raise SpecError([Problem((key,), summary, detail)])
        nodes = pool.cluster.nodes
        return facts | {
            "allocatable": _allocatable(nodes.values()),
            "nodes": {name: _node(node) for name, node in sorted(nodes.items())},
        }


def _allocatable(nodes: Iterable[NodeSeen]) -> dict[str, Any]:
    workers = [node for node in nodes if node.ready and not node.control_plane]
    return {
        "cores": round(sum(node.allocatable_cores for node in workers), 3),
        "memory": round(sum(node.allocatable_memory_gib for node in workers), 3),
    }


def _node(node: NodeSeen) -> dict[str, Any]:
    return {
        "role": (Role.CONTROL_PLANE if node.control_plane else Role.WORKER).value,
        "ready": node.ready,
        "schedulable": node.schedulable,
    }
