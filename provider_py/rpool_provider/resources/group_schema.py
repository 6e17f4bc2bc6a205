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
        optional("servers", NUMBER, "Any so many workers may be lost. Either this or `zones`."),
        optional("zones", NUMBER, "All workers in any so many zones may be lost."),
    )
)

GROUP = Object(
    (
        required("cores", NUMBER, "Cores of its servers together, as hardware."),
        required("memory", NUMBER, "GiB of memory of these together."),
        optional("tolerate", TOLERATE, "Which loss of its servers these must outlast."),
        optional("selector", SELECTOR, "Which servers may be picked; all unless set."),
        optional("labels", Map(STRING), "Labels of its Nodes, besides those of the fleet."),
        optional("taint", Set(TAINT), "A taint of its Nodes, from their first moment on."),
    )
)
