"""Actions on the cluster, through the API or etcd of one of its control planes (`server`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from rpool.model.action.guard import Guard, JoinSecrets
from rpool.model.claim import Ownership
from rpool.model.pool import NodeSpec
from rpool.model.record import Record
from rpool.model.server import ServerName


@dataclass(frozen=True, slots=True)
class AwaitReady:
    """Wait, through control plane `server`, until `nodes` are Ready."""

    server: ServerName
    nodes: tuple[ServerName, ...]
    verb: ClassVar[str] = "ready"
    limit_seconds: ClassVar[float] = 600

    @property
    def doing(self) -> str:
        return f"waiting until {', '.join(self.nodes)} are Ready"


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write the record into the cluster, over that of change `over` or of its own change.
    Refused when another is there.
    """

    server: ServerName
    ownership: Ownership
    record: Record
    over: str
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90
    verb: ClassVar[str] = "record"
    doing: ClassVar[str] = "writing the cluster's record"


@dataclass(frozen=True, slots=True)
class AdmitJoiners:
    """Upload a token on a control plane, so that more servers can join; the certificates, too,
    where any of these is a `control_plane`.
    """

    server: ServerName
    ownership: Ownership
    secrets: JoinSecrets
    control_plane: bool = True
    verb: ClassVar[str] = "admit joiners"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 180
    doing: ClassVar[str] = "letting servers join"


@dataclass(frozen=True, slots=True)
class RevokeJoiners:
    """Delete the bootstrap token and the uploaded certificates (and any other token of ours)."""

    server: ServerName
    ownership: Ownership
    secrets: JoinSecrets
    verb: ClassVar[str] = "revoke joiners"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 180
    doing: ClassVar[str] = "deleting the join token"


@dataclass(frozen=True, slots=True)
class ApplyNetwork:
    """Install the CNI: applied server-side from the upstream manifest, checked by digest. `api` is
    `host:port` of the endpoint: what a node's network needs to come up is not to wait for
    kube-proxy, which comes up at the same time.
    """

    server: ServerName
    ownership: Ownership
    pod_cidr: str
    cni: str
    api: str
    verb: ClassVar[str] = "network"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 180

    @property
    def doing(self) -> str:
        return f"installing {self.cni}"


@dataclass(frozen=True, slots=True)
class ApplyMetalLB:
    """Install MetalLB with its address pools (L2), and wait for nothing of it to run: applied
    server-side from the upstream manifest, checked by digest.
    """

    server: ServerName
    ownership: Ownership
    pools: Mapping[str, tuple[str, ...]]
    verb: ClassVar[str] = "metallb"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "installing MetalLB"


@dataclass(frozen=True, slots=True)
class ConfigureMetalLB:
    """Make the address pools of a MetalLB that runs exactly these (L2)."""

    server: ServerName
    ownership: Ownership
    pools: Mapping[str, tuple[str, ...]]
    verb: ClassVar[str] = "metallb pools"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "setting MetalLB's address pools"


@dataclass(frozen=True, slots=True)
class RemoveMetalLB:
    """Take MetalLB out of the cluster, with its address pools; what was not there is fine."""

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "remove metallb"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "removing MetalLB"


class Budgets(StrEnum):
    """What pod disruption budgets mean to a drain."""

    RESPECTED = "respected"  # on timeout the nodes are uncordoned, and the drain has failed
    UNTIL_TIMEOUT = "until_timeout"  # then the pods that are left are deleted
    IGNORED = "ignored"  # nothing can move: the cluster goes as a whole


@dataclass(frozen=True, slots=True)
class Drain:
    """Through control plane `server`: cordon `nodes` and stop their pods with their grace period.

    A node that the cluster does not have is drained. `timeout_seconds` is for all nodes together.
    Fails where a volume is still in use or attached there in the end.
    """

    server: ServerName
    ownership: Ownership
    nodes: tuple[ServerName, ...]
    timeout_seconds: int
    budgets: Budgets
    verb: ClassVar[str] = "drain"
    guard: ClassVar[Guard] = Guard.TOGETHER

    @property
    def limit_seconds(self) -> float:
        """kubectl overruns its own time limit by 90 s, twice; a second try has 60 s, and so have
        volumes.
        """
        return self.timeout_seconds + 360

    @property
    def doing(self) -> str:
        return f"draining {', '.join(self.nodes)}"


@dataclass(frozen=True, slots=True)
class Uncordon:
    """Through control plane `server`: let pods onto `node` again, which was to leave and stays."""

    server: ServerName
    ownership: Ownership
    node: ServerName
    verb: ClassVar[str] = "uncordon"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90

    @property
    def doing(self) -> str:
        return f"letting pods onto {self.node} again"


@dataclass(frozen=True, slots=True)
class SpreadDns:
    """Move one of the cluster's DNS servers to another node where all of them are on one: they
    started on the first control plane, which was alone then. Does nothing where they are apart.
    """

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "spread dns"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90
    doing: ClassVar[str] = "moving one of the cluster's DNS servers to another node"


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
    verb: ClassVar[str] = "leave etcd"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90

    @property
    def doing(self) -> str:
        return f"taking {self.member} out of etcd"


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
    verb: ClassVar[str] = "label"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90

    @property
    def doing(self) -> str:
        return f"setting labels and taints of {self.node}"


@dataclass(frozen=True, slots=True)
class DeleteNode:
    """Through control plane `server`: delete the Node object of a server that has left."""

    server: ServerName
    ownership: Ownership
    node: ServerName
    verb: ClassVar[str] = "forget"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90

    @property
    def doing(self) -> str:
        return f"deleting Node {self.node}"
