"""The schema of data source `rpool_fleet`."""

from __future__ import annotations

from rpool_provider.schema import BOOL, NUMBER, STRING, List, Map, Object, Schema, computed

_SERVER = Object(
    (
        computed("address", STRING, "Its address for SSH."),
        computed("zone", STRING, "Its zone."),
        computed("cores", NUMBER, "Its cores, as declared."),
        computed("memory", NUMBER, "Its memory in GiB, as declared."),
        computed("labels", Map(STRING), "Its labels in the fleet."),
        computed("reserved", BOOL, "Whether clusters must not pick it."),
        computed("retire", BOOL, "Whether it is to leave its cluster."),
        computed("lost", BOOL, "Whether its hardware is declared gone."),
        computed("trust", STRING, "Its domain of trust in the fleet, or null."),
        computed(
            "reachable",
            BOOL,
            "Whether it answered now. If not, its cluster and role are null.",
        ),
        computed("pool", STRING, "Name of the cluster that claims it, or null."),
        computed("pool_id", STRING, "Uid of that cluster, or null."),
        computed("role", STRING, "`control_plane` or `worker` in that cluster, or null."),
        computed("phase", STRING, "`bootstrapping`, `member` or `leaving` in it, or null."),
        computed(
            "let_go",
            BOOL,
            "Whether the cluster that claims it no longer counts it as a member: it was "
            "replaced while it was unreachable, say. `why` says what happens to it.",
        ),
        computed(
            "spare",
            BOOL,
            "Whether it is unclaimed, clean, as big as declared, and has served in no other "
            "domain of trust.",
        ),
        computed(
            "failures",
            List(STRING),
            "What failed on it since it was last a member. Such a server is picked last.",
        ),
        computed("why", STRING, "Why it is not a spare, or null."),
    )
)

FLEET_DATA = Schema(
    Object(
        (
            computed("servers", Map(_SERVER), "All servers of the fleet, by name."),
            computed(
                "free_cores",
                NUMBER,
                "Cores of the spares that clusters may pick: not reserved, retiring or lost.",
            ),
            computed("free_memory", NUMBER, "GiB of memory of these spares."),
        )
    ),
    "Every server of the site as it is now: its cluster, its size, and whether it is available.",
)
