"""Why a cluster is incomplete: where it differs from its record. Pure."""

from __future__ import annotations

from rpool.decide.membership import Membership, Part
from rpool.model.server import ServerName

MOST_TOLD = 8
_DIFFERENCE = {
    Part.GONE: "is a member in the record, but not in the cluster",
    Part.JOINING: "is partially joined",
    Part.LEAVING: "has partially left",
    Part.MEMBER: "is a member, but cordoned to leave",
}


def has_failed(name: ServerName, members: Membership) -> str:
    """What failed last on a half-joined server, or how its disk is if that cannot keep failures;
    else "".
    """
    probed = members.pool.probed(name)
    if probed is None or members.part(name) is not Part.JOINING:
        return ""
    if probed.unwritable:
        return f"its disk is {probed.unwritable}"
    return next(map(str, reversed(probed.failures)), "")


def told(members: Membership) -> str:
    """A warning whose first line is the summary; "" for a cluster that is as its record says."""
    lines = [f"{name} {_how_it_differs(name, members)}." for name in sorted(members.differing)]
    if len(lines) > MOST_TOLD:
        lines = [*lines[:MOST_TOLD], f"And {len(lines) - MOST_TOLD} more."]
    if members.pool.open_to_joiners:
        lines.append("A join token remains, with which servers can join.")
    if not members.record.is_settled:
        lines.append("A change was started, and the record does not show its end.")
        lines.append(_perhaps_at_work(members))
    if not lines:
        return ""
    summary = f"Cluster {members.record.spec.name} is incomplete: an apply finishes it"
    return "\n".join([summary, *lines])


def _perhaps_at_work(members: Membership) -> str:
    """A sentence that an apply may be at work, with the owner and time of the latest claim."""
    name, claims = members.record.spec.name, members.pool.claims.values()
    latest = max(
        (claim for claim in claims if claim.is_joining), key=lambda claim: claim.since, default=None
    )
    who = f" (the last claim is {latest.owner}'s, of {latest.since})" if latest else ""
    return f"An apply may be running now{who}: rpool watch {name} shows it."


def _how_it_differs(name: ServerName, members: Membership) -> str:
    """The rest of a sentence about a server that differs."""
    if name in members.record.members:
        if failure := has_failed(name, members):
            return f"has not joined: {failure}; another server takes its place, if there is one"
        node = members.pool.nodes.get(name)
        if members.part(name) is Part.MEMBER and node is not None and not node.let_go:
            return "lacks labels that the fleet or the control plane gives it"
        if members.part(name) is Part.LEAVING and members.pool.claim(name) is None:
            return "was a member, and no longer has anything of the cluster: its Node is deleted"
        return _DIFFERENCE.get(members.part(name), "differs from the record")
    if members.is_stray(name):
        probed = members.pool.probed(name)
        disk = probed.unwritable if probed is not None else ""
        stays = f"its disk is {disk}, so it cannot be wiped"
        wiped = "it is removed, wiped, and becomes a spare"
        back = "was removed when it was lost, and came back with its old data"
        return f"{back}: {stays if disk else wiped}"
    if members.pool.claim(name) is not None:
        return _DIFFERENCE[Part.LEAVING]
    return "has a Node in the cluster, but is no member: the Node and its remains are removed"
