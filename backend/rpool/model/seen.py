"""What was observed: the facts that decisions are based on."""

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

    `traces` are paths and interfaces that kubeadm or a cluster left (empty on a clean server).
    `joined` says that kubeadm finished here (kubelet.conf, and for a control plane its manifests);
    `kubeadm_ended`, that kubeadm is done though later work may be missing: a control plane has its
    vote in etcd by then, and joining again completes it.
    `addresses` are all IP addresses on its interfaces; `memory_mib` is MemTotal.
    `clock_seconds` is its clock (since 1970) when the probe began, which took `took_seconds`.
    `claim_unread` says why the claim that is there cannot be read, as the end of a sentence about
    it: the server's owner is unknown then. The claim is among the traces, too.
    `served` is the domain of trust in which it has served since it was installed, by its mark; None
    if it has no mark.
    `certificate` is the file of a control plane's certificate that ends first ("" on any other
    server), `certificate_end_seconds` when it ends (since 1970, as `clock_seconds`).
    `failures` are what failed on it since it was last a member, the latest at the end.
    `unwritable` says why the disk with our marks takes no more of them (`UNWRITABLE`); else "".
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
        """The last failure that keeps all clusters off the server until a person lifts that."""
        return next((failure for failure in reversed(self.failures) if failure.aside), None)

    def claim_of(self, uid: PoolUid) -> Claim | None:
        """The server's claim if it is this cluster's: only then may the cluster touch it."""
        return self.claim if self.claim is not None and self.claim.uid == uid else None

    @property
    def is_spare(self) -> bool:
        """A spare has no claim, no trace of kubeadm, was not set aside, and can be claimed."""
        return not (self.claim or self.traces or self.set_aside or self.unwritable)


@dataclass(frozen=True, slots=True)
class Working:
    """What has a server to itself: an action's `doing` ("" if unknown), and for how long."""

    doing: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """A server's clock minus ours, and the error of that, since asking for it takes time."""

    offset_seconds: float
    error_seconds: float = 0.0

    def seconds_from(self, other: ClockSeen) -> float:
        """How far apart the two clocks are at least."""
        apart = abs(self.offset_seconds - other.offset_seconds)
        return max(0.0, apart - self.error_seconds - other.error_seconds)

    def seconds_ahead_of(self, other: ClockSeen) -> float:
        """How far this clock is ahead of the other at most; 0 where it is behind."""
        ahead = self.offset_seconds - other.offset_seconds
        return max(0.0, ahead + self.error_seconds + other.error_seconds)


@dataclass(frozen=True, slots=True)
class PackagesSeen:
    """Versions of Kubernetes that a server could install, such as 1.36.3. `unread` says why its
    package repository cannot be read from there. Both empty: unknown.
    """

    versions: frozenset[str] = frozenset()
    unread: str = ""


LEAVING_MARK = "node-restriction.kubernetes.io/rpool-leaving"
"""The label of Nodes that we keep free of pods since they are to leave (reach/scripts/leaving.sh).
Kubernetes lets no kubelet set a label of this prefix on its own Node. So no Node that an operator
keeps free of pods can pass for one that we have cordoned, and be uncordoned.
"""

UNANNOUNCED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""Kubernetes' own label: MetalLB and cloud controllers announce no address from such a node."""

UNANNOUNCED_BY_US = "rpool-leaving"
"""The label's value where we have set it; kubeadm sets it on control planes without a value."""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A Kubernetes Node object; sizes are allocatable to pods, in cores and GiB. `since` is when it
    became Ready or NotReady (RFC 3339), by the cluster's clock; `since_seconds` is the same since
    1970, 0 if unknown.
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
        """Whether it has a cordon or label of ours to undo; an operator's cordon is not ours."""
        return LEAVING_MARK in self.labels or self.labels.get(UNANNOUNCED) == UNANNOUNCED_BY_US


@dataclass(frozen=True, slots=True)
class Requested:
    """What the containers of a node's pods request together, in cores and GiB."""

    cores: float = 0.0
    memory_gib: float = 0.0
    pods: int = 0


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """A member of a cluster's etcd. `id` is hexadecimal. A learner does not vote. `healthy` says
    that it answered just now. A member that never started has no name, but addresses in `peers`.
    """

    id: str
    name: ServerName
    votes: bool
    healthy: bool
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """A cluster as one of its control planes shows it. `ca_certificate` is PEM.

    `metallb`: the MetalLB that runs there has our field manager; this is not checked while the
    record is settled. `open_to_joiners`: there is a join token of ours. `clock_seconds`: since
    1970, by the clock of that control plane; 0 if unknown.
    """

    nodes: Mapping[ServerName, NodeSeen]
    record: Record | None
    ca_certificate: str
    metallb: bool = False
    open_to_joiners: bool = False
    clock_seconds: float = 0.0
