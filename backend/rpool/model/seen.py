"""What was seen of the world: facts that deciding works from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rpool.model.claim import Claim
from rpool.model.failure import Failure
from rpool.model.pool import PoolUid, Taint
from rpool.model.record import Record
from rpool.model.server import ServerName
from rpool.model.trust import Domain

UNWRITABLE = ("read-only", "full", "out of inodes")


@dataclass(frozen=True, slots=True)
class Probed:
    """One server as one probe found it.

    `traces` are paths and interfaces that kubeadm or a cluster left (empty on a clean server);
    `joined` says that kubeadm finished here (kubelet.conf, and for a control plane its manifests);
    `kubeadm_ended` that its own work is done though what comes after it may be missing: a control
    plane votes in etcd by then, and joining again completes it.
    `addresses` are all IP addresses on its interfaces; `memory_mib` is MemTotal.
    `clock_seconds` is what its clock said (since 1970) as it began to look, which took it
    `took_seconds`.
    `claim_unread` says why the claim that is there cannot be read, as the end of a sentence about
    it: nobody knows then whose the server is. It is among the traces, too.
    `served` is the domain of trust that it has served in since it was installed, by its mark; None
    when it has none.
    `certificate` is the file of a control plane's certificate that ends first, and when that is (in
    seconds since 1970, as `clock_seconds`); "" on any other server.
    `failures`: what it failed at since it was last a member, the latest at the end.
    `unwritable` says how the disk is that has our marks where it takes no more of them; else "".
    """

    server: ServerName
    hostname: str
    machine_id: str
    product_uuid: str
    cores: int
    memory_mib: int
    claim: Claim | None
    traces: tuple[str, ...]
    joined: bool
    joined_control_plane: bool
    addresses: tuple[str, ...]
    routes: tuple[str, ...]
    clock_seconds: float
    took_seconds: float = 0.0
    kubeadm_ended: bool = False
    claim_unread: str = ""
    served: Domain | None = None
    certificate: str = ""
    certificate_end_seconds: float = 0.0
    failures: tuple[Failure, ...] = ()
    unwritable: str = ""

    @property
    def set_aside(self) -> Failure | None:
        """Why no cluster takes the server until a person lifts that, the last such failure."""
        return next((its for its in reversed(self.failures) if its.aside), None)

    def claim_of(self, uid: PoolUid) -> Claim | None:
        """The server's claim if it is that very cluster's: only then may the cluster touch it."""
        return self.claim if self.claim is not None and self.claim.uid == uid else None

    @property
    def is_spare(self) -> bool:
        """A spare has no claim, no trace of kubeadm, was not set aside, and can be claimed."""
        return not (self.claim or self.traces or self.set_aside or self.unwritable)


@dataclass(frozen=True, slots=True)
class Working:
    """What has a server to itself: an action's `doing` ("" where that is not known), and for how
    many seconds by now.
    """

    doing: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """A server's clock less ours, and how far from that it may be: to ask for it takes time."""

    offset_seconds: float
    error_seconds: float = 0.0

    def seconds_from(self, other: ClockSeen) -> float:
        """How far apart the two are at least."""
        apart = abs(self.offset_seconds - other.offset_seconds)
        return max(0.0, apart - self.error_seconds - other.error_seconds)

    def seconds_ahead_of(self, other: ClockSeen) -> float:
        """How far this one is ahead of the other at most; 0 where it is behind."""
        ahead = self.offset_seconds - other.offset_seconds
        return max(0.0, ahead + self.error_seconds + other.error_seconds)


@dataclass(frozen=True, slots=True)
class PackagesSeen:
    """Versions of Kubernetes that a server could install, such as 1.36.3; `unread` says why its
    package repository cannot be read from there. Neither: that cannot be told.
    """

    versions: frozenset[str] = frozenset()
    unread: str = ""


LEAVING_MARK = "node-restriction.kubernetes.io/rpool-leaving"
"""A label of nodes that we keep free of pods since they are to leave (reach/scripts/leaving.sh).
Kubernetes lets no kubelet set a label of this prefix on its own Node: no node can pass for one that
we have cordoned, and take pods again that an operator keeps away.
"""

UNANNOUNCED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""Kubernetes' own label: MetalLB and cloud controllers announce no address from such a node."""

UNANNOUNCED_BY_US = "rpool-leaving"
"""The label's value when we have set it; control planes have it from kubeadm, with none."""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A Kubernetes Node object; sizes are what the kubelet offers to pods, in cores and GiB.
    `since`: when it got or lost its readiness (RFC 3339), by the cluster's clock, and the same in
    `since_seconds` from 1970; 0 where that was not told.
    """

    ready: bool
    schedulable: bool
    control_plane: bool
    allocatable_cores: float
    allocatable_memory_gib: float
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    since: str = ""
    since_seconds: float = 0.0

    @property
    def let_go(self) -> bool:
        """Whether something of it is ours to give back; an operator's cordon is not."""
        return LEAVING_MARK in self.labels or self.labels.get(UNANNOUNCED) == UNANNOUNCED_BY_US


@dataclass(frozen=True, slots=True)
class Requested:
    """What the containers of a node's pods request together, in cores and GiB."""

    cores: float = 0.0
    memory_gib: float = 0.0
    pods: int = 0


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """A member of a cluster's etcd. `id` is hexadecimal; a learner does not vote; `healthy` says
    that it answered just now. One that never started has no name, but its `peers` addresses.
    """

    id: str
    name: ServerName
    votes: bool
    healthy: bool
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """A cluster through one of its control planes. `ca_certificate` is PEM.

    `metallb`: the MetalLB that runs there carries our field manager; it is not looked at while the
    record says that nothing is under way. `open_to_joiners`: a join token of ours is there.
    `clock_seconds`: since 1970, by the clock of that control plane; 0 where it was not told.
    """

    nodes: Mapping[ServerName, NodeSeen]
    record: Record | None
    ca_certificate: str
    metallb: bool = False
    open_to_joiners: bool = False
    clock_seconds: float = 0.0
