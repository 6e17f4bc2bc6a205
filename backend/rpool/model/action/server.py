"""Actions on one server itself: its claim, its operating system, its part of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from rpool.model.action.guard import Guard, JoinSecrets
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.failure import Failure
from rpool.model.pool import Kubeadm, PoolSpec, PoolUid, Taint
from rpool.model.server import Server, ServerName


@dataclass(frozen=True, slots=True)
class TakeClaim:
    """Publish `claim` on the server, atomically. Refused when the server has another claim, or
    none and traces of kubeadm (it is dirty). A claim with the same ownership is simply ours. One
    that is `over` is replaced: what is left of a create that was cut off is taken over by another.
    With `over` a server without a claim is refused, too: it is not what was looked at any more.
    """

    server: ServerName
    claim: Claim
    over: Ownership | None = None
    verb: ClassVar[str] = "claim"
    limit_seconds: ClassVar[float] = 90

    @property
    def doing(self) -> str:
        return f"claiming for cluster {self.claim.pool}"


@dataclass(frozen=True, slots=True)
class NoteFailure:
    """Keep on the server what failed there; or, with None, forget all of that. Refused where there
    is a claim of another cluster than `uid` ("" is nobody), or a later session of it has been.
    """

    server: ServerName
    uid: PoolUid
    failure: Failure | None
    session: int = 0
    verb: ClassVar[str] = "note"
    limit_seconds: ClassVar[float] = 60
    doing: ClassVar[str] = "noting what failed"


@dataclass(frozen=True, slots=True)
class SetPhase:
    """Move our claim on the server to `phase`."""

    server: ServerName
    ownership: Ownership
    phase: Phase

    @property
    def guard(self) -> Guard:
        """A server leaves once nothing works there: what a join that goes on makes is then seen."""
        return Guard.IN_TURN if self.phase is Phase.LEAVING else Guard.BRIEFLY

    @property
    def limit_seconds(self) -> float:
        return 700 if self.phase is Phase.LEAVING else 90

    @property
    def verb(self) -> str:
        return "leave" if self.phase is Phase.LEAVING else "member"

    @property
    def doing(self) -> str:
        return f"moving the claim to phase {self.phase.value}"


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make a plain operating system ready for kubeadm (by Ansible; see `ansible/`)."""

    server: ServerName
    ownership: Ownership
    kubernetes_version: str
    kubeadm: Kubeadm
    cni: str
    minimum_cores: int
    minimum_memory_gib: int
    verb: ClassVar[str] = "prepare"
    limit_seconds: ClassVar[float] = 1200
    doing: ClassVar[str] = "preparing the operating system"


@dataclass(frozen=True, slots=True)
class Init:
    """kubeadm init on the first control plane, with the virtual IP from the start."""

    server: ServerName
    ownership: Ownership
    node: Server
    spec: PoolSpec
    secrets: JoinSecrets
    verb: ClassVar[str] = "init"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 600
    doing: ClassVar[str] = "kubeadm init"


@dataclass(frozen=True, slots=True)
class Join:
    """kubeadm join, as a control plane or as a worker (`control_plane`).

    `through` is a control plane that serves already; the CA that joiners must see is read there.
    The node has `taints` and `labels` from its first moment on, so that nothing is scheduled there
    meanwhile that is not meant to be.
    """

    server: ServerName
    ownership: Ownership
    node: Server
    spec: PoolSpec
    secrets: JoinSecrets
    control_plane: bool
    through: ServerName
    taints: tuple[Taint, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    verb: ClassVar[str] = "join"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 600

    @property
    def doing(self) -> str:
        return f"kubeadm join as {'a control plane' if self.control_plane else 'a worker'}"


@dataclass(frozen=True, slots=True)
class RestartKubelet:
    """Start the kubelet of `server` anew: it registers its Node if somebody has deleted it."""

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "restart kubelet"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 90
    doing: ClassVar[str] = "restarting the kubelet"


@dataclass(frozen=True, slots=True)
class Mend:
    """Start the container runtime and the kubelet of `server` anew, and wait until its Node is
    Ready.
    """

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "mend"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 180
    doing: ClassVar[str] = "restarting the container runtime and the kubelet"


@dataclass(frozen=True, slots=True)
class StepDown:
    """End the control plane on `server` but for etcd (`etcd`: that, too): first kube-vip, which
    hands the virtual IP over, then the API server, which takes itself off the `kubernetes`
    endpoints, and the rest.
    """

    server: ServerName
    ownership: Ownership
    etcd: bool = False
    verb: ClassVar[str] = "step down"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "ending the control plane"


@dataclass(frozen=True, slots=True)
class RecoverEtcd:
    """Make etcd anew with its member on `server` alone, from the data that it has, and wait until
    the API serves there. Who proves that the others are gone is the caller.
    """

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "recover etcd"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 600
    doing: ClassVar[str] = "making etcd anew from the data there"


@dataclass(frozen=True, slots=True)
class Reset:
    """Take everything of kubeadm's and ours off the server, verify that it is clean, and only
    then give up the claim. Fails with what is left, keeping the claim, when it is not clean.
    """

    server: ServerName
    ownership: Ownership
    vip: str | None
    verb: ClassVar[str] = "reset"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "resetting the server"


@dataclass(frozen=True, slots=True)
class AppendJournal:
    """Append JSON lines to the pool's journal on the server."""

    server: ServerName
    ownership: Ownership
    lines: tuple[str, ...]
    verb: ClassVar[str] = "write journal"
    guard: ClassVar[Guard] = Guard.BRIEFLY
    limit_seconds: ClassVar[float] = 90
    doing: ClassVar[str] = "writing the journal"
