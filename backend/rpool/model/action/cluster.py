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
    """Write the record into the cluster, over that of change `over` or of its own change. Refused
    when another record is there.
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
    """Upload a token to the API, so that more servers can join; and the certificates, where any of
    them is to be a `control_plane`.
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
    `host:port` of the endpoint: a node's network must not wait for kube-proxy, which starts at the
    same time.
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
    """Install MetalLB with its address pools (L2), without waiting for it to run: applied
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
    """Set the address pools (L2) of a running MetalLB to exactly these."""

    server: ServerName
    ownership: Ownership
    pools: Mapping[str, tuple[str, ...]]
    verb: ClassVar[str] = "metallb pools"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "setting MetalLB's address pools"


@dataclass(frozen=True, slots=True)
class RemoveMetalLB:
    """Remove MetalLB and its address pools from the cluster. What is already gone is no error."""

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "remove metallb"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 400
    doing: ClassVar[str] = "removing MetalLB"


class Budgets(StrEnum):
    """What pod disruption budgets mean to a drain."""

    RESPECTED = "respected"  # on timeout the nodes are uncordoned, and the drain has failed
    UNTIL_TIMEOUT = "until_timeout"  # on timeout the remaining pods are deleted
    IGNORED = "ignored"  # the whole cluster goes, so pods cannot move


@dataclass(frozen=True, slots=True)
class Drain:
    """Through control plane `server`: cordon `nodes` and stop their pods with their grace period.

    A node that the cluster does not have counts as drained. `timeout_seconds` is for all nodes
    together. Fails if a volume is still in use or attached there at the end.
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
        """kubectl overruns its own time limit by 90 s, twice; a second try takes up to 60 s, and so
        do volumes.
        """
        return self.timeout_seconds + 360

    @property
    def doing(self) -> str:
        return f"draining {', '.join(self.nodes)}"


@dataclass(frozen=True, slots=True)
class Uncordon:
    """Through control plane `server`: uncordon `node`, which was to leave and stays."""

    server: ServerName
    ownership: Ownership
    node: ServerName
    verb: ClassVar[str] = "uncordon"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90

    @property
    def doing(self) -> str:
        return f"uncordoning {self.node}"


@dataclass(frozen=True, slots=True)
class SpreadDns:
    """Move one of the cluster's DNS servers to another node if all of them are on one: they started
    on the first control plane, which was alone then. Otherwise does nothing.
    """

    server: ServerName
    ownership: Ownership
    verb: ClassVar[str] = "spread dns"
    guard: ClassVar[Guard] = Guard.TOGETHER
    limit_seconds: ClassVar[float] = 90
    doing: ClassVar[str] = "moving one of the cluster's DNS servers to another node"


@dataclass(frozen=True, slots=True)
class RemoveEtcdMember:
    """Through control plane `server`: take `member` out of etcd. Done if it is not in etcd.

    A member that never started is found by its `address`. `member_id` (hexadecimal, as etcd prints
    it) is filled in once the rest is known to keep its quorum, so that the member that is removed
    is the one that was checked.
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
        return f"removing {self.member} from etcd"


@dataclass(frozen=True, slots=True)
class SetNode:
    """Through control plane `server`: give `node` its labels and taints, and remove those that it
    was given before (`was`) and is no longer to have. Others' labels and taints stay.
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
