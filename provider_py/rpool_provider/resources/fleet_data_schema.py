"""The schema of data source `rpool_fleet`."""

from __future__ import annotations

from rpool_provider.schema import BOOL, NUMBER, STRING, List, Map, Object, Schema, computed

_SERVER = Object(
    (
        computed("address", STRING, "Address that SSH reaches it at."),
        computed("zone", STRING, "Its zone."),
        computed("cores", NUMBER, "Its cores, as declared."),
        computed("memory", NUMBER, "Its memory in GiB, as declared."),
        computed("labels", Map(STRING), "Its labels in the fleet."),
        computed("reserved", BOOL, "Whether clusters do not pick it."),
        computed("retire", BOOL, "Whether it is to leave."),
        computed("lost", BOOL, "Whether its hardware is declared gone."),
        computed("trust", STRING, "Its domain of trust in the fleet, or null."),
        computed("reachable", BOOL, "Whether it answered just now. If not, whose it is is null."),
        computed("pool", STRING, "Name of the cluster that claims it, or null."),
        computed("pool_id", STRING, "Uid of that cluster, or null."),
        computed("role", STRING, "`control_plane` or `worker` in that cluster, or null."),
        computed("phase", STRING, "`bootstrapping`, `member` or `leaving` in it, or null."),
        computed(
            "let_go",
            BOOL,
            "Whether the cluster that claims it counts on it no more: it was replaced while it was "
            "away, say. `why` says what becomes of it.",
        ),
        computed(
            "spare",
            BOOL,
            "Whether nobody claims it, it is clean, as big as declared, and has served in no "
            "other domain of trust.",
        ),
        computed(
            "failures",
            List(STRING),
            "What it failed at since it was last a member. Such a server is taken last.",
        ),
        computed("why", STRING, "Why it is no spare, or null."),
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
    "Every server of the site as it is now: whose, how big, and whether it can be had.",
)
