"""What a plan of a create says: the servers that it will likely take, as none are known yet."""

from __future__ import annotations

from collections.abc import Iterator

from rpool.attempt import Advice
from rpool.model.server import Role
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic


def told(cluster: str, advice: Advice) -> list[Diagnostic]:
    """The warnings about a create."""
    likely = _likely if advice.fits else _too_much
    return [likely(cluster, advice), *_strange(cluster, advice)]


def _likely(cluster: str, advice: Advice) -> Diagnostic:
    count = "1 server" if len(advice.likely) == 1 else f"{len(advice.likely)} servers"
    lines = [f"{_roles(advice)} {_how_free(advice)}", *_claimed(cluster, advice)]
    return diagnostic.warning(
        f"Cluster {cluster} will likely take {count}", "\n".join(lines).strip()
    )


def _too_much(cluster: str, advice: Advice) -> Diagnostic:
    """A warning and no error: servers in use may become free in the same apply."""
    lines = [
        "Its apply fails unless servers become free first, as by a destroy in the same apply.",
        advice.doubt,
        f"If the whole fleet were free, it would take these. {_roles(advice)}",
        *_claimed(cluster, advice),
    ]
    return diagnostic.warning(
        f"Cluster {cluster} does not fit on the servers that are free now", "\n".join(lines)
    )


def _roles(advice: Advice) -> str:
    def of(role: Role) -> str:
        return ", ".join(sorted(name for name, r in advice.likely.items() if r is role)) or "none"

    return f"Control plane: {of(Role.CONTROL_PLANE)}. Workers: {of(Role.WORKER)}."


def _strange(cluster: str, advice: Advice) -> Iterator[Diagnostic]:
    for name, error in sorted(advice.strange.items()):
        yield diagnostic.warning(
            f"Cluster {cluster}: the apply stops at {name}, which has another host key",
            f"{error.summary}.\n{error.detail}\nOr mark it reserved = true in the fleet: then no "
            "cluster picks it.",
        )


def _how_free(advice: Advice) -> str:
    if advice.doubt:
        return f"Some may be in use; the apply then takes others. {advice.doubt}"
    if not advice.likely.keys() - advice.earlier.keys():
        return ""
    subject = "The others" if advice.earlier else "They"
    return (
        f"{subject} are free now; the apply takes another one for each that is in use or not "
        "clean by then."
    )


def _claimed(cluster: str, advice: Advice) -> Iterator[str]:
    """What happens to servers that a cluster of that name claims now."""
    for uid in sorted({claim.uid for claim in advice.earlier.values()}):
        names = sorted(name for name, claim in advice.earlier.items() if claim.uid == uid)
        yield (
            f"{', '.join(names)}: claimed by a cluster {cluster} now (uid {uid}). If an "
            "interrupted create left it, the apply resumes that. If it is a complete cluster, "
            "destroy it first, or this create fails."
        )
