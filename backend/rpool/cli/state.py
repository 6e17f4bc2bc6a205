"""A server or a cluster in a few words for people, and as facts for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rpool.flow.survey import Clustered, Survey
from rpool.model.claim import Claim
from rpool.model.pool import DEFAULT_GROUP, Group, PoolSpec, PoolUid
from rpool.model.record import Member
from rpool.model.server import Role, Server, ServerName


@dataclass(frozen=True, slots=True)
class State:
    """The state of a server in few words, and why, which may be sentences."""

    words: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.words}: {self.why}" if self.why else self.words


def state_of(server: Server, survey: Survey) -> State:
    """Whether a server is a member, a spare, or why it is neither; with its marks in the fleet."""
    state = _state(server.name, survey)
    marks = [word for word in ("reserved", "retire", "lost") if getattr(server, word)]
    return State(", ".join([state.words, *marks]), state.why)


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster of a server, and its role and group there."""

    uid: PoolUid
    cluster: str
    role: Role
    group: str

    def __str__(self) -> str:
        """Its role, and its group where that is a further one."""
        return (
            self.role.value if self.group == DEFAULT_GROUP else f"{self.role.value} ({self.group})"
        )


def place_of(name: ServerName, survey: Survey) -> Place | None:
    """The place of a server by its claim or, when it does not answer, by a cluster's record; None
    when it is in no cluster.
    """
    probed = survey.servers[name].probed
    if probed is not None:
        claim = probed.claim
        return Place(claim.uid, claim.pool, claim.role, claim.group) if claim else None
    for uid, cluster in survey.clusters.items():
        if cluster.record is not None and (member := cluster.record.members.get(name)):
            return Place(uid, cluster.name, member.role, member.group)
    return None


def is_well(name: ServerName, survey: Survey) -> bool:
    """Whether a server is a member of its cluster with a Ready Node, as far as that is known."""
    surveyed = survey.servers[name]
    claim = surveyed.probed.claim if surveyed.probed else None
    if claim is None or surveyed.let_go or not claim.is_member:
        return False
    nodes = survey.clusters[claim.uid].nodes
    return nodes is None or (name in nodes and nodes[name].ready)


def _state(name: ServerName, survey: Survey) -> State:
    surveyed = survey.servers[name]
    if surveyed.probed is None:
        return State("unreachable", surveyed.why_no_spare or "")
    if surveyed.let_go:
        return State("abandoned", surveyed.why_no_spare or "")
    claim = surveyed.probed.claim
    if claim is not None:
        return State(_state_of_claimed(name, claim, survey))
    if surveyed.why_no_spare is not None:
        words, _, why = surveyed.why_no_spare.partition(": ")
        return State(words, why)
    failures = surveyed.probed.failures
    return State("spare, taken last", str(failures[-1])) if failures else State("spare")


def _state_of_claimed(name: ServerName, claim: Claim, survey: Survey) -> str:
    if not claim.is_member:
        return claim.phase.value
    nodes = survey.clusters[claim.uid].nodes
    node = nodes.get(name) if nodes is not None else None
    if nodes is None or (node is not None and node.ready):
        return "member" if node is None or node.schedulable else "member, cordoned"
    if node is None:
        return "member, without a Node"
    return "member, NotReady" + (f" since {node.since}" if node.since else "")


def server_facts(name: ServerName, survey: Survey) -> dict[str, Any]:
    """The attributes of a server, named as in data source rpool_fleet."""
    server, surveyed = survey.fleet.servers[name], survey.servers[name]
    claim = surveyed.probed.claim if surveyed.probed else None
    place = place_of(name, survey)
    return {
        "address": server.address,
        "zone": server.zone,
        "cores": server.cores,
        "memory": server.memory_gib,
        "labels": dict(server.labels),
        "reserved": server.reserved,
        "retire": server.retire,
        "lost": server.lost,
        "trust": server.trust or None,
        "reachable": surveyed.probed is not None,
        "cluster": place.cluster if place else None,
        "cluster_id": place.uid if place else None,
        "role": place.role.value if place else None,
        "group": place.group if place else None,
        "phase": claim.phase.value if claim else None,
        "let_go": surveyed.let_go,
        "spare": surveyed.why_no_spare is None,
        "failures": [str(failure) for failure in surveyed.probed.failures]
        if surveyed.probed
        else [],
        "why": surveyed.why_no_spare,
        "state": str(state_of(server, survey)),
    }


@dataclass(frozen=True, slots=True)
class Sizes:
    """Cores and GiB of the workers of all groups: of members, of servers that are joining, and as
    requested, by the change that is under way if there is one.
    """

    there: tuple[int, int]
    coming: tuple[int, int]
    wanted: tuple[int, int]

    def __str__(self) -> str:
        coming = f"; joining: {_size(self.coming)}" if self.coming != (0, 0) else ""
        return f"{_size(self.there)} (wanted: {_size(self.wanted)}{coming})"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} cores, {size[1]} GiB"


def sizes(cluster: Clustered) -> Sizes:
    """The sizes of a cluster; all 0 when no API shows it."""
    if cluster.view is None or cluster.record is None:
        return Sizes((0, 0), (0, 0), (0, 0))
    view, spec = cluster.view, cluster.record.wanted or cluster.record.spec
    there: list[Member] = []
    coming: list[Member] = []
    for name, member in view.servers.items():
        claim = cluster.claims.get(name)
        if name not in view.lost and (member.role is Role.WORKER or view.schedulable):
            (coming if claim is not None and claim.is_joining else there).append(member)
    return Sizes(_sum(there), _sum(coming), _sum([spec, *spec.groups.values()]))


def _sum(sized: Sequence[Member | PoolSpec | Group]) -> tuple[int, int]:
    return sum(part.cores for part in sized), sum(part.memory_gib for part in sized)


def cluster_facts(cluster: Clustered) -> dict[str, Any]:
    """A cluster's attributes. Those from its API are null when that is silent; `why` says why."""
    view = cluster.view
    return {
        "name": cluster.name,
        "owner": cluster.owner,
        "kubernetes_version": view.kubernetes_version if view else None,
        "cores": view.cores if view else None,
        "memory": view.memory_gib if view else None,
        "allocated_cores": view.allocated_cores if view else None,
        "allocated_memory": view.allocated_memory_gib if view else None,
        "condition": cluster.condition.value,
        "endpoint": view.endpoint if view else None,
        "servers": {name: claim.role.value for name, claim in cluster.claims.items()},
        "why": cluster.silent or None,
    }
