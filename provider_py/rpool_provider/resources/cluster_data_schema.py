"""The schema of data source `rpool_cluster`: the resource's public facts, and how it is now."""

from __future__ import annotations

from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.schema import (
    BOOL,
    NUMBER,
    STRING,
    Attribute,
    Map,
    Object,
    Schema,
    computed,
    optional,
)

_EITHER = "Set either this or `{}`; the other one is computed."

_ALLOCATABLE = Object(
    (
        computed("cores", NUMBER, "Cores."),
        computed("memory", NUMBER, "GiB."),
    )
)

_NODE = Object(
    (
        computed("role", STRING, "`control_plane` or `worker`."),
        computed("ready", BOOL, "Whether its kubelet reports it Ready."),
        computed("schedulable", BOOL, "False while it is cordoned."),
    )
)

FACTS: tuple[Attribute, ...] = tuple(
    attribute
    for attribute in CLUSTER.root.attributes
    if not attribute.configurable and attribute.name != "id"
)
"""The attributes that the resource computes, but for `id`."""

CLUSTER_DATA = Schema(
    Object(
        (
            optional("name", STRING, f"Name of the cluster. {_EITHER.format('id')}", computed=True),
            optional("id", STRING, f"The cluster's uid. {_EITHER.format('name')}", computed=True),
            computed("kubernetes_version", STRING, "Its version."),
            computed("cores", NUMBER, "Total cores requested for its workers."),
            computed("memory", NUMBER, "Total memory requested for these, in GiB."),
            *FACTS,
            computed(
                "allocatable",
                _ALLOCATABLE,
                "What all Ready workers offer to pods, including each `rpool_node`.",
            ),
            computed("nodes", Map(_NODE), "All its Kubernetes nodes, by name, as they are now."),
        )
    ),
    "A cluster of this site as it is now, whichever configuration manages it.",
)
