"""What a modelled server remembers, as its disk would, and the clusters that servers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex

from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.claim import Claim
from rpool.model.pool import NodeSpec
from rpool.model.record import Record
from rpool.model.server import Role, Server, ServerName


@dataclass
class Cluster:
    """What a cluster's etcd holds, and who its members are, with their ids. `key` tells it from
    others; it has no other meaning.
    """

    ca: str
    version: str
    key: str = field(default_factory=lambda: token_hex(4))
    members: dict[ServerName, str] = field(default_factory=dict)
    nodes: dict[ServerName, Role] = field(default_factory=dict)
    dressed: dict[ServerName, NodeSpec] = field(default_factory=dict)
    cordoned: set[ServerName] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    network: bool = False
    metallb: bool = False
    pools: dict[str, tuple[str, ...]] = field(default_factory=dict)
    record: Record | None = None

    def add(self, name: ServerName, role: Role) -> None:
        """The Node, and for a control plane a member of etcd; ids are never used again."""
        self.nodes[name] = role
        if role is Role.CONTROL_PLANE:
            self.members[name] = token_hex(8).lstrip("0")

    def dress(self, action: act.SetNode) -> None:
        if action.node not in self.nodes:
            raise CommandFailed(f"there is no node {action.node} (simulated)")
        self.dressed[action.node] = action.wanted


@dataclass
class Machine:
    """One modelled server: what is on its disk, and whether it has power. `role` is the one that it
    joined in; with `stepped_down` its control plane has ended, but for etcd.
    """

    server: Server
    powered: bool = True
    claim: Claim | None = None
    prepared_for: str | None = None
    traces: tuple[str, ...] = ()
    cluster: Cluster | None = None
    role: Role | None = None
    stepped_down: bool = False
    journal: list[str] = field(default_factory=list)
