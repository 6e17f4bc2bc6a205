"""What a plan says of a create, which has no servers yet: those that it will likely take."""

from __future__ import annotations

from collections.abc import Iterator

from rpool.attempt import Advice
from rpool.model.server import Role
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic


def told(cluster: str, advice: Advice) -> Diagnostic:
    def of(role: Role) -> str:
        return ", ".join(sorted(name for name, r in advice.likely.items() if r is role)) or "none"

    roles = f"Control plane: {of(Role.CONTROL_PLANE)}. Workers: {of(Role.WORKER)}. "
    return diagnostic.warning(
        f"Cluster {cluster} will likely take {len(advice.likely)} servers",
        "\n".join([roles + _how_free(advice), *_claimed(cluster, advice)]).strip(),
    )


def _how_free(advice: Advice) -> str:
    if advice.doubt:
        return f"These may be in use, and apply takes others then. {advice.doubt}"
    if not advice.likely.keys() - advice.earlier.keys():
        return ""
    those = "The others" if advice.earlier else "They"
    return f"{those} are free now; apply takes others where one is in use or not clean by then."


def _claimed(cluster: str, advice: Advice) -> Iterator[str]:
    """What becomes of those that have the claim of a cluster of that name."""
    for uid in sorted({claim.uid for claim in advice.earlier.values()}):
        names = sorted(name for name, claim in advice.earlier.items() if claim.uid == uid)
        yield (
            f"{', '.join(names)}: claimed by a cluster {cluster} now (uid {uid}). What a create "
            "has left is gone on with by the apply. A whole cluster is in the way of this one, "
            "unless it is destroyed first."
        )
