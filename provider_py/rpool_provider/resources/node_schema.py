"""The schema of `rpool_node`."""

from __future__ import annotations

from rpool_provider.resources.group_schema import TAINT
from rpool_provider.schema import (
    NUMBER,
    STRING,
    Map,
    Object,
    Schema,
    Set,
    computed,
    optional,
    required,
)

_TIMEOUTS = Object(
    (
        optional("create", STRING, "Time limit of a join. Default 30m."),
        optional("update", STRING, "Time limit of a change. Default 30m."),
        optional("delete", STRING, "Time limit of a departure. Default 30m."),
    )
)

NODE = Schema(
    Object(
        (
            required("cluster", STRING, "The `id` of an `rpool_cluster`.", replaces=True),
            required(
                "server", STRING, "A server of the fleet with `reserved = true`.", replaces=True
            ),
            optional(
                "cluster_ca_pin",
                STRING,
                "The `ca_pin` of that `rpool_cluster`, so that no server can pose as the "
                "cluster. Unless set, the first one that was found.",
                computed=True,
            ),
            optional("labels", Map(STRING), "Labels of its node."),
            optional("taint", Set(TAINT), "A taint of its node, set as soon as it joins."),
            optional("timeouts", _TIMEOUTS, "Time limits of operations."),
            computed("id", STRING, "`CLUSTER/SERVER`."),
            computed("address", STRING, "Its address in the fleet."),
            computed("zone", STRING, "Its zone."),
            computed("cores", NUMBER, "Its cores."),
            computed("memory", NUMBER, "Its memory in GiB."),
        )
    ),
    "One particular server in a cluster, in addition to those that the cluster picks itself.",
    identity=("cluster", "server"),
)
