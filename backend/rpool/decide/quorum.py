"""The arithmetic of etcd's quorum: who may be taken out without the rest losing it."""

from __future__ import annotations

from collections.abc import Sequence

from rpool.model.seen import EtcdMember
from rpool.model.server import ServerName


def member_of(members: Sequence[EtcdMember], server: ServerName, address: str) -> EtcdMember | None:
    """The member of etcd that runs on `server`, or was added for it and never started: that one
    has no name yet, but its address.
    """
    named = (member for member in members if member.name == server)
    unnamed = (member for member in members if not member.name and address in member.peers)
    return next(named, None) or next(unnamed, None)


def majority(voters: int) -> int:
    """How many of so many voters must be there for anything to be decided."""
    return voters // 2 + 1


def why_not_remove(members: Sequence[EtcdMember], leaving: EtcdMember) -> str | None:
    """Why `leaving` must not be taken out of etcd now, or None when the rest keeps its quorum.

    The removal itself is decided by today's voters; afterwards the rest must stand alone. A learner
    does not vote, so its going is no one's loss.
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


def _counted(healthy: Sequence[EtcdMember], voters: Sequence[EtcdMember]) -> str:
    silent = sorted(member.name for member in voters if not member.healthy)
    said = f" ({', '.join(silent)} do not answer)" if silent else ""
    return f"{len(healthy)} of {len(voters)} members answer{said}"
