"""Which servers belong to a cluster, and how far each has joined or left.

The only reader of claim phases. A server's part follows from its own claim, its Node and etcd, and
from the record only where these say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from rpool.advice import Do
from rpool.certificates import is_of_ca
from rpool.decide.node_spec import lacks, node_spec
from rpool.decide.quorum import member_of
from rpool.errors import Refused
from rpool.model.claim import Claim
from rpool.model.observed import Observed
from rpool.model.pool import PoolUid
from rpool.model.record import Record
from rpool.model.seen import EtcdMember, NodeSeen, Probed
from rpool.model.server import Fleet, Role, ServerName

CONTROL_PLANE_FILES = ("/etc/kubernetes/manifests", "/var/lib/etcd")
"""Traces that a worker never has. (It has certificates, so those are not among them.)"""


class Part(Enum):
    """What a server is in its cluster."""

    MEMBER = "member"  # in, by all that was observed of it
    JOINING = "joining"  # ours, and not in yet
    LEAVING = "leaving"  # half out: it does not come back as it is
    UNCLAIMED = "unclaimed"  # runs in the cluster, but its claim was removed
    GONE = "gone"  # not ours, and no Node is left of it
    SILENT = "silent"  # asked, and no answer
    LOST = "lost"  # silent and given up: marked in the fleet, or silent for too long


def claims_of(uid: PoolUid, seen: Mapping[ServerName, Probed]) -> dict[ServerName, Claim]:
    """The claims of cluster `uid` on the servers in `seen`."""
    claims = {name: probed.claim_of(uid) for name, probed in seen.items()}
    return {name: claim for name, claim in claims.items() if claim is not None}


def ca_of(claims: Mapping[ServerName, Claim]) -> str:
    """The pin of the CA that these claims of one cluster name; "" where none does. Raises Refused
    where they name two: then some of the servers are not what they claim to be.
    """
    pins: dict[str, list[ServerName]] = {}
    for name, claim in sorted(claims.items()):
        if claim.ca_pin:
            pins.setdefault(claim.ca_pin, []).append(name)
    if len(pins) > 1:
        which = "\n".join(f"  {pin}: {', '.join(names)}" for pin, names in sorted(pins.items()))
        name, uid = next((claim.pool, claim.uid) for claim in claims.values() if claim.ca_pin)
        raise Refused(
            f"servers claim to belong to cluster {name} ({uid}) with {len(pins)} different CAs",
            f"A cluster has one. They name:\n{which}\n{Do.FALSE_CLAIM.text()} Nothing was changed.",
        )
    return next(iter(pins), "")


def runs_control_plane(probed: Probed) -> bool:
    """Whether a control plane may run on the server: it was one, or has files of one."""
    return probed.joined_control_plane or any(
        trace.startswith(CONTROL_PLANE_FILES) for trace in probed.traces
    )


def lost_in(fleet: Fleet) -> frozenset[ServerName]:
    return frozenset(name for name, server in fleet.servers.items() if server.lost)


@dataclass(frozen=True)
class Membership:
    """The parts of a cluster's servers. `record` names those that may be claimed, the fleet marks
    those that are lost, and `given_up` are silent members that a plan replaces.
    """

    record: Record
    pool: Observed
    fleet: Fleet
    given_up: frozenset[ServerName] = frozenset()

    @cached_property
    def lost(self) -> frozenset[ServerName]:
        """Servers that count as gone while they are silent."""
        let_go = {name for name in self.pool.silent if self._was_let_go(name)}
        return lost_in(self.fleet) | self.given_up | let_go

    def _was_let_go(self, name: ServerName) -> bool:
        """Whether the record no longer names a server of the fleet, and nothing of it is alive in
        the cluster, such as a Node that it registered when it came back for a while.
        """
        pool, node, member = self.pool, self.pool.nodes.get(name), self.etcd_member(name)
        if name in self.record.members or name not in self.fleet.servers or pool.etcd is None:
            return False
        return not (node and node.ready) and not (member and member.healthy)

    def part(self, name: ServerName) -> Part:
        """The part of `name`; by the record for a server that was not asked."""
        if name in self.pool.silent:
            return self._silent(name)
        probed = self.pool.probed(name)
        if probed is None:
            return Part.MEMBER if name in self.record.members else Part.GONE
        claim = self.pool.claim(name)
        if claim is None:
            return self._without_claim(name, probed)
        if claim.is_leaving or self.is_stray(name) or self.is_out_of_etcd(name):
            return Part.LEAVING
        if self.is_of_another_ca(name):
            return Part.LEAVING
        return Part.MEMBER if claim.is_member and name in self.pool.nodes else Part.JOINING

    def _silent(self, name: ServerName) -> Part:
        if name not in self.lost:
            return Part.SILENT
        remains = self.had_joined(name) or self.etcd_member(name) is not None
        return Part.LOST if remains else Part.GONE

    def _without_claim(self, name: ServerName, probed: Probed) -> Part:
        if probed.claim is None and probed.joined and name in self.pool.nodes:
            return Part.UNCLAIMED
        return Part.LEAVING if name in self.pool.nodes else Part.GONE

    def is_stray(self, name: ServerName) -> bool:
        """Whether `name` is a former member that has come back: the record no longer names it."""
        claim = self.pool.claim(name)
        return claim is not None and claim.is_member and name not in self.record.members

    def is_out_of_etcd(self, name: ServerName) -> bool:
        """Whether `name` is a control plane that was taken out of etcd: it never starts again."""
        claim = self.pool.claim(name)
        if claim is None or self.pool.etcd is None or not self.pool.has_joined(name):
            return False
        runs = claim.role is Role.CONTROL_PLANE and claim.is_member
        return runs and self.etcd_member(name) is None

    def is_of_another_ca(self, name: ServerName) -> bool:
        """Whether `name` joined a control plane that was installed anew before the cluster was
        made: the CA that it trusts is gone, and the present or coming one does not know it.
        """
        claim, api = self.pool.claim(name), self.pool.api
        if self.record.settled is not None or claim is None or not claim.ca_pin:
            return False
        if api is not None:
            return not is_of_ca(api.cluster.ca_certificate, claim.ca_pin)
        planes = self.record.of(Role.CONTROL_PLANE)
        return not any(self.pool.has_joined(n) or n in self.pool.silent for n in planes)

    def is_half_in(self, name: ServerName) -> bool:
        """Whether a server has our claim but does not count yet: kubeadm has not ended there, and
        it has no vote in etcd. A server whose reset was cut off is half in, too.
        """
        claim, probed = self.pool.claim(name), self.pool.probed(name)
        if claim is None or claim.is_member or (probed is not None and probed.kubeadm_ended):
            return False
        member = self.etcd_member(name)
        return member is None or not (member.votes and member.healthy)

    def etcd_member(self, name: ServerName) -> EtcdMember | None:
        member, server = self.record.members.get(name), self.fleet.servers.get(name)
        address = member.address if member else server.address if server else ""
        return member_of(self.pool.etcd or (), name, address)

    def is_whole(self, name: ServerName) -> bool:
        """Whether `name` is a member that takes pods."""
        node = self.pool.nodes.get(name)
        return self.part(name) is Part.MEMBER and node is not None and not node.let_go

    def is_mislabelled(self, name: ServerName) -> bool:
        """Whether the Node of an own member lacks labels that the record gives it."""
        spec = node_spec(self.record.members[name], self.record.spec)
        return lacks(self.pool.nodes[name], spec)

    @property
    def strays(self) -> frozenset[ServerName]:
        """Servers with a Node or a claim of the cluster that the record does not name."""
        present = self.pool.nodes.keys() | self.pool.claims.keys()
        return frozenset(present - self.record.members.keys())

    def among(self, names: Set[ServerName], *parts: Part) -> frozenset[ServerName]:
        return frozenset(name for name in names if self.part(name) in parts)

    @property
    def to_lock(self) -> frozenset[ServerName]:
        """Control planes that must be locked: claims in phase member, the one that serves, and
        silent ones that have a Node and are not marked lost.
        """
        claims, api = self.pool.claims, self.pool.api
        inside = {name for name, claim in claims.items() if claim.is_member}
        inside |= {api.through} if api else set()
        inside |= {n for n in self.pool.silent if n not in self.lost and self.had_joined(n)}
        return frozenset(self.record.of(Role.CONTROL_PLANE)) & inside

    def had_joined(self, name: ServerName) -> bool:
        """Whether a silent server has a Node; True where no API can tell."""
        return self.pool.api is None or name in self.pool.nodes

    @cached_property
    def differing(self) -> frozenset[ServerName]:
        """Own servers that are not as a settled record says. The cluster is incomplete while there
        are any. Silence alone is no difference.
        """
        whole, nodes = (Part.MEMBER, Part.SILENT, Part.LOST), self.pool.nodes
        return self.strays | {
            name
            for name in self.record.own
            if self.part(name) not in whole
            or (name in nodes and (nodes[name].let_go or self.is_mislabelled(name)))
        }


def to_ask(record: Record, nodes: Mapping[ServerName, NodeSeen], fleet: Fleet) -> set[ServerName]:
    """Servers that must be asked, since the API alone does not show their part.

    In a settled cluster: the control planes, members whose Node is missing, NotReady or cordoned by
    us, and servers of Nodes that the record does not name. While a change is under way: every
    member.
    """
    strangers = (nodes.keys() - record.members.keys()) & fleet.servers.keys()
    if not record.is_settled:
        return strangers | record.own.keys()
    well = {name for name, node in nodes.items() if node.ready and not node.let_go}
    return strangers.union(record.of(Role.CONTROL_PLANE), record.own.keys() - well)
