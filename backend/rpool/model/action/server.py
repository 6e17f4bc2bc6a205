"""Actions on a server itself: its claim, its operating system, its part of the cluster."""

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
    """Write `claim` to the server, atomically. Refused when the server has another claim, or none
    but traces of kubeadm. A claim with the same ownership is ours already. A claim with ownership
    `over` is replaced: a create takes over what another left that was cut off. With `over`, a
    server without a claim is refused, too: it has changed since it was observed.
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
    """Keep on the server what failed there; with None, delete all of that. Refused where the claim
    is of another cluster than `uid` ("" for none), or where a later session of it has been.
    """

    server: ServerName
    uid: PoolUid
    failure: Failure | None
    session: int = 0
    verb: ClassVar[str] = "note"
    limit_seconds: ClassVar[float] = 60
    doing: ClassVar[str] = "recording what failed"


@dataclass(frozen=True, slots=True)
class SetPhase:
    """Move our claim on the server to `phase`."""

    server: ServerName
    ownership: Ownership
    phase: Phase

    @property
    def guard(self) -> Guard:
        """A server leaves once nothing works there, so that what a join still does is seen."""
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
    """Run kubeadm init on the first control plane, with the virtual IP from the start."""

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
    """Run kubeadm join, as a control plane or as a worker (`control_plane`).

    `through` is a control plane that serves already; the CA that joiners must see is read there.
    The node has `taints` and `labels` from the start, so that no pod is scheduled there that should
    not be.
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
    """Restart the kubelet of `server`: it registers its Node again if that was deleted."""

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "restart kubelet"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 90
    doing: ClassVar[str] = "restarting the kubelet"


@dataclass(frozen=True, slots=True)
class Mend:
    """Restart container runtime and kubelet of `server`, and wait until its Node is Ready."""

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "mend"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 180
    doing: ClassVar[str] = "restarting the container runtime and the kubelet"


@dataclass(frozen=True, slots=True)
class StepDown:
    """Stop the control plane on `server` (with `etcd`, etcd too): first kube-vip, which hands over
    the virtual IP, then the API server, which removes itself from the `kubernetes` endpoints, then
    the rest.
    """

    server: ServerName
    ownership: Ownership
    etcd: bool = False
    verb: ClassVar[str] = "step down"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "stopping the control plane"


@dataclass(frozen=True, slots=True)
class RecoverEtcd:
    """Make etcd anew with the member on `server` alone, from its data, and wait until the API
    serves there. The caller must have proof that the other members are gone.
    """

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "recover etcd"
    guard: ClassVar[Guard] = Guard.ALONE
    limit_seconds: ClassVar[float] = 600
    doing: ClassVar[str] = "rebuilding etcd from the data there"


@dataclass(frozen=True, slots=True)
class Reset:
    """Remove everything of kubeadm's and ours from the server, verify that it is clean, and only
    then remove the claim. If it is not clean, fails with what is left and keeps the claim.
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
