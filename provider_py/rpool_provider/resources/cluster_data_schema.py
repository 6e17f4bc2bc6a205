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

_EITHER = "Either this or `{}` is given; the other one is told."

_ALLOCATABLE = Object(
    (
        computed("cores", NUMBER, "Cores."),
        computed("memory", NUMBER, "GiB."),
    )
)

_NODE = Object(
    (
        computed("role", STRING, "`control_plane` or `worker`."),
        computed("ready", BOOL, "Whether its kubelet says that it is ready."),
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
            computed("cores", NUMBER, "Cores that its workers were asked to have together."),
            computed("memory", NUMBER, "GiB that its workers were asked to have together."),
            *FACTS,
            computed(
                "allocatable",
                _ALLOCATABLE,
                "What the kubelets of all ready workers offer to pods, those of nodes that were "
                "added one by one included.",
            ),
            computed("nodes", Map(_NODE), "All its Kubernetes nodes, by name, as they are now."),
        )
    ),
    "A cluster of this site, whoever manages it, as it is now.",
)
