"""The arithmetic of etcd's quorum: whether the rest keeps it when a member is removed."""

from __future__ import annotations

from collections.abc import Sequence

from rpool.advice import Do
from rpool.errors import Refused
from rpool.model.seen import EtcdMember
from rpool.model.server import ServerName


def member_of(members: Sequence[EtcdMember], server: ServerName, address: str) -> EtcdMember | None:
    """The etcd member that runs on `server`, or that was added for it and never started. The latter
    has no name yet, so it is found by its address.
    """
    named = (member for member in members if member.name == server)
    unnamed = (member for member in members if not member.name and address in member.peers)
    return next(named, None) or next(unnamed, None)


def majority(voters: int) -> int:
    """How many of `voters` must agree to decide anything."""
    return voters // 2 + 1


def why_not_remove(members: Sequence[EtcdMember], leaving: EtcdMember) -> str | None:
    """Why `leaving` must not be taken out of etcd now, or None when the rest keeps its quorum.

    Today's voters decide the removal; afterwards the rest must have a quorum by itself. A learner
    does not vote, so its removal costs nothing.
    """
    voters = [member for member in members if member.votes]
    healthy = [member for member in voters if member.healthy]
    if len(healthy) < majority(len(voters)):
        return f"etcd has no quorum: {_counted(healthy, voters)}"
    rest = [member for member in voters if member.id != leaving.id]
    if not rest:
        return f"{leaving.name} is the last voting member of etcd"
    healthy_rest = [member for member in rest if member.healthy]
    if len(healthy_rest) < majority(len(rest)):
        return (
            f"without {leaving.name or 'it'} etcd would have no quorum: "
            f"{_counted(healthy_rest, rest)} where {majority(len(rest))} are needed"
        )
    return None


def most_of(control_planes: Sequence[ServerName]) -> dict[str, str]:
    """How many control planes must answer, and how many there are, as texts for a message."""
    count = len(control_planes)
    return {"needed": str(majority(count)), "count": str(count)}


def not_removed(server: ServerName, why: str, members: Sequence[EtcdMember]) -> Refused:
    """The error of a member that stays; `why` is from `why_not_remove`, of these `members`."""
    silent = ", ".join(sorted(member.name for member in members if not member.healthy))
    advice = Do.BRING_BACK.text(servers=silent or "the other control planes")
    return Refused(f"{server} was not removed from etcd: {why}", advice)


def _counted(healthy: Sequence[EtcdMember], voters: Sequence[EtcdMember]) -> str:
    silent = sorted(member.name for member in voters if not member.healthy)
    note = f" ({', '.join(silent)} do not answer)" if silent else ""
    return f"{len(healthy)} of {len(voters)} members answer{note}"
