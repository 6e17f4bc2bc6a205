"""The record: a cluster's own account of itself, kept in it (ConfigMap `kube-system/rpool`).

It holds intent alone, written before the first step of a change, so that a later operation can
finish a change that was cut off. How far that got is never recorded: it is observed. All of it is
public.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rpool.model.pool import DEFAULT_GROUP, NodeSpec, PoolSpec, PoolUid
from rpool.model.server import Role, Server, ServerName

FORMAT = 1

RESERVED = frozenset({"ca_pin", "owner", "components", "backup"})
"""Fields of later versions. This rpool does not use them, and writes them back unchanged."""


@dataclass(frozen=True, slots=True)
class Member:
    """A server of the cluster as the record knows it; sizes are nominal, memory in GiB."""

    role: Role
    address: str
    zone: str
    cores: int
    memory_gib: int
    group: str = DEFAULT_GROUP
    # The fleet's labels, which its Node has, too.
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, server: Server, role: Role, group: str = DEFAULT_GROUP) -> Member:
        size = (server.cores, server.memory_gib)
        return cls(role, server.address, server.zone, *size, group, server.labels)


@dataclass(frozen=True, slots=True)
class Record:
    uid: PoolUid
    # The unique id of the change that wrote it.
    change: str
    # Counts the changes; it is the epoch of the claims that a change makes.
    generation: int
    # The session that wrote it (see `model.claim.Fence`).
    session: int
    # What was carried out last; None until the create has ended.
    settled: PoolSpec | None
    # What is under way; None when nothing is.
    wanted: PoolSpec | None
    # All servers that may be claimed, those on their way in or out included.
    members: Mapping[ServerName, Member]
    # Members that an rpool_node put here, outside the cluster's own sizing, and the labels and
    # taints that they may have from it.
    pinned: Mapping[ServerName, NodeSpec] = field(default_factory=dict)
    # Former members that were given up while silent: one that comes back still has the cluster's
    # files and is wiped. Kept here until it is seen without them.
    let_go: frozenset[ServerName] = frozenset()
    # Fields of `RESERVED`, as they were read.
    reserved: Mapping[str, object] = field(default_factory=dict)

    @property
    def spec(self) -> PoolSpec:
        """The request that was carried out last, or that a create wanted that was cut off."""
        spec = self.settled or self.wanted
        if spec is None:
            raise ValueError("a record with nothing settled and nothing wanted")
        return spec

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way, so that the members are as requested."""
        return self.settled is not None and self.wanted is None

    @property
    def own(self) -> dict[ServerName, Member]:
        """The members of the cluster's own sizing."""
        return {name: member for name, member in self.members.items() if name not in self.pinned}

    @property
    def former(self) -> frozenset[ServerName]:
        """Servers let go that have not joined again since, whatever else the record says."""
        return self.let_go - self.members.keys() - self.pinned.keys()

    def of(self, role: Role) -> list[ServerName]:
        return [name for name, member in self.members.items() if member.role is role]
