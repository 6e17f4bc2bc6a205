"""Schemas of a cluster's groups, partly shared with the cluster: servers, sizes, labels, taints."""

from __future__ import annotations

from rpool_provider.schema import NUMBER, STRING, Map, Object, Set, optional, required

SELECTOR = Object(
    (
        optional("zones", Set(STRING), "Only servers in these zones."),
        optional("labels", Map(STRING), "Only servers with all of these labels."),
    )
)

TAINT = Object(
    (
        required("key", STRING, "Key of the taint."),
        optional("value", STRING, "Its value; empty unless set."),
        required("effect", STRING, "`NoSchedule`, `PreferNoSchedule` or `NoExecute`."),
    )
)

TOLERATE = Object(
    (
        optional("servers", NUMBER, "Number of workers that may be lost. Either this or `zones`."),
        optional("zones", NUMBER, "Number of zones that may be lost, with all workers in them."),
    )
)

GROUP = Object(
    (
        required("cores", NUMBER, "Total cores of its servers, as hardware."),
        required("memory", NUMBER, "Total memory of these in GiB."),
        optional("tolerate", TOLERATE, "Loss of servers that these must survive."),
        optional("selector", SELECTOR, "Which servers may be picked; all unless set."),
        optional("labels", Map(STRING), "Labels of its Nodes, in addition to those of the fleet."),
        optional("taint", Set(TAINT), "A taint of its Nodes, set as soon as they join."),
    )
)
