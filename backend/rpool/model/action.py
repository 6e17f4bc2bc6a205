"""What can be done to a server: a closed union of small actions that are data, not code.

`reach` renders each to a script that runs on the server under a guard: it takes the server's lock,
checks that the claim still has this uid and epoch, and only then acts. Every action is idempotent:
carried out a second time it finds its work done. All change something, save `AwaitReady`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.pool import Kubeadm, NodeSpec, PoolSpec, Taint
from rpool.model.record import Record
from rpool.model.secret import Secret
from rpool.model.server import Server, ServerName


@dataclass(frozen=True, slots=True)
class JoinSecrets:
    """What lets servers join for some minutes: a bootstrap token and the key of kubeadm's
    uploaded certificates. `ca_pin` (`sha256:...`) is public, and known once the first server is up.
    """

    token: Secret
    certificate_key: Secret
    ca_pin: str = ""


@dataclass(frozen=True, slots=True)
class TakeClaim:
    """Publish `claim` on the server, atomically. Refused when the server has another claim, or
    none and traces of kubeadm (it is dirty). A claim with the same ownership is simply ours.
    """

    server: ServerName
    claim: Claim


@dataclass(frozen=True, slots=True)
class SetPhase:
    """Move our claim on the server to `phase`."""

    server: ServerName
    ownership: Ownership
    phase: Phase


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


@dataclass(frozen=True, slots=True)
class Init:
    """kubeadm init on the first control plane, with the virtual IP from the start."""

    server: ServerName
    ownership: Ownership
    node: Server
    spec: PoolSpec
    secrets: JoinSecrets


@dataclass(frozen=True, slots=True)
class AdmitJoiners:
    """Upload token and certificates on a control plane, so that more servers can join."""

    server: ServerName
    ownership: Ownership
    secrets: JoinSecrets


@dataclass(frozen=True, slots=True)
class Join:
    """kubeadm join, as a control plane or as a worker (`control_plane`).

    `via` is a control plane that serves already; the CA that joiners must see is read there. The
    node has `taints` from its first moment on, so that nothing is scheduled there meanwhile.
    """

    server: ServerName
    ownership: Ownership
    node: Server
    spec: PoolSpec
    secrets: JoinSecrets
    control_plane: bool
    via: ServerName
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True, slots=True)
class RevokeJoiners:
    """Delete the bootstrap token and the uploaded certificates (and any other token of ours)."""

    server: ServerName
    ownership: Ownership
    secrets: JoinSecrets


@dataclass(frozen=True, slots=True)
class ApplyNetwork:
    """Install the CNI: applied server-side from the upstream manifest, checked by digest."""

    server: ServerName
    ownership: Ownership
    pod_cidr: str


@dataclass(frozen=True, slots=True)
class ApplyMetalLB:
    """Install MetalLB: applied server-side from the upstream manifest, checked by digest."""

    server: ServerName
    ownership: Ownership


@dataclass(frozen=True, slots=True)
class ConfigureMetalLB:
    """Wait for MetalLB's webhook, then make its address pools exactly these (L2)."""

    server: ServerName
    ownership: Ownership
    pools: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write the pool's record into the cluster, over that of change `over` or of its own change.
    Refused when another is there.
    """

    server: ServerName
    ownership: Ownership
    record: Record
    over: str


@dataclass(frozen=True, slots=True)
class AwaitReady:
    """Wait, through control plane `server`, until `nodes` are Ready."""

    server: ServerName
    nodes: tuple[ServerName, ...]


@dataclass(frozen=True, slots=True)
class RemoveMetalLB:
    """Take MetalLB out of the cluster, with its address pools; what was not there is fine."""

    server: ServerName
    ownership: Ownership


class Budgets(StrEnum):
    """What pod disruption budgets mean to a drain."""

    RESPECTED = "respected"  # on timeout the nodes are uncordoned, and the drain has failed
    UNTIL_TIMEOUT = "until_timeout"  # then the pods that are left are deleted
    IGNORED = "ignored"  # nothing can move: the pool goes as a whole


@dataclass(frozen=True, slots=True)
class Drain:
    """Through control plane `server`: cordon `nodes` and stop their pods with their grace period.

    A node that the cluster does not have is drained. `timeout_seconds` is for all nodes together.
    """

    server: ServerName
    ownership: Ownership
    nodes: tuple[ServerName, ...]
    timeout_seconds: int
    budgets: Budgets


@dataclass(frozen=True, slots=True)
class Uncordon:
    """Through control plane `server`: let pods onto `node` again, which was to leave and stays."""

    server: ServerName
    ownership: Ownership
    node: ServerName


@dataclass(frozen=True, slots=True)
class RestartKubelet:
    """Start the kubelet of `server` anew: it registers its Node if somebody has deleted it."""

    server: ServerName
    ownership: Ownership


@dataclass(frozen=True, slots=True)
class StepDown:
    """End the control plane on `server` but for etcd: first kube-vip, which hands the virtual IP
    over, then the API server, which takes itself off the `kubernetes` endpoints, and the rest.
    """

    server: ServerName
    ownership: Ownership


@dataclass(frozen=True, slots=True)
class RemoveEtcdMember:
    """Through control plane `server`: take `member` out of etcd; one that is not in it is out.

    `address` is the member's, by which one is found that never started. `member_id` (hexadecimal,
    as etcd prints it) is filled in once it was shown that the rest keeps its quorum, so that what
    is removed is what was looked at.
    """

    server: ServerName
    ownership: Ownership
    member: ServerName
    member_id: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class SetNode:
    """Through control plane `server`: give node `node` labels and taints, and take away those it
    was given before (`was`) and should not have any more. Others' stay.
    """

    server: ServerName
    ownership: Ownership
    node: ServerName
    was: NodeSpec
    wanted: NodeSpec


@dataclass(frozen=True, slots=True)
class DeleteNode:
    """Through control plane `server`: delete the Node object of a server that has left."""

    server: ServerName
    ownership: Ownership
    node: ServerName


@dataclass(frozen=True, slots=True)
class Reset:
    """Take everything of kubeadm's and ours off the server, verify that it is clean, and only
    then give up the claim. Fails with what is left, keeping the claim, when it is not clean.
    """

    server: ServerName
    ownership: Ownership
    vip: str | None


@dataclass(frozen=True, slots=True)
class AppendJournal:
    """Append JSON lines to the pool's journal on the server."""

    server: ServerName
    ownership: Ownership
    lines: tuple[str, ...]


Action = (
    TakeClaim
    | SetPhase
    | Prepare
    | Init
    | AdmitJoiners
    | Join
    | RevokeJoiners
    | ApplyNetwork
    | ApplyMetalLB
    | ConfigureMetalLB
    | WriteRecord
    | AwaitReady
    | RemoveMetalLB
    | Drain
    | Uncordon
    | RestartKubelet
    | StepDown
    | RemoveEtcdMember
    | SetNode
    | DeleteNode
    | Reset
    | AppendJournal
)
