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
        optional("create", STRING, "At most this long for a join. Default 30m."),
        optional("update", STRING, "At most this long for a change. Default 30m."),
        optional("delete", STRING, "At most this long for a departure. Default 30m."),
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
                "The `ca_pin` of that `rpool_cluster`, so that no server can pose as the cluster. "
                "Unless set, the one that was found first.",
                computed=True,
            ),
            optional("labels", Map(STRING), "Labels of its node."),
            optional("taint", Set(TAINT), "A taint of its node, from its first moment on."),
            optional("timeouts", _TIMEOUTS, "How long things may take."),
            computed("id", STRING, "`CLUSTER/SERVER`."),
            computed("address", STRING, "Its address in the fleet."),
            computed("zone", STRING, "Its zone."),
            computed("cores", NUMBER, "Its cores."),
            computed("memory", NUMBER, "Its memory in GiB."),
        )
    ),
    "One particular server in a cluster, beyond what the cluster picks for itself.",
    identity=("cluster", "server"),
)
