"""The record: a cluster's own account of itself, kept in it (ConfigMap `kube-system/rpool`).

It is intent alone, written before the first step of a change, so that whoever comes next can finish
what was cut off. How far that got is never written down: it is observed. It holds public facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rpool.model.pool import DEFAULT_GROUP, NodeSpec, PoolSpec, PoolUid
from rpool.model.server import Role, Server, ServerName

FORMAT = 1

RESERVED = frozenset({"ca_pin", "owner", "components", "backup"})
"""Fields that are coming. This rpool does nothing with them, and writes back what it found."""


@dataclass(frozen=True, slots=True)
class Member:
    """A server of the cluster as the record knows it; sizes are nominal, memory in GiB."""

    role: Role
    address: str
    zone: str
    cores: int
    memory_gib: int
    group: str = DEFAULT_GROUP
    # Those of the fleet, which its Node has, too.
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, server: Server, role: Role, group: str = DEFAULT_GROUP) -> Member:
        size = (server.cores, server.memory_gib)
        return cls(role, server.address, server.zone, *size, group, server.labels)


@dataclass(frozen=True, slots=True)
class Record:
    uid: PoolUid
    # Of the change that wrote it: no other change has this id.
    change: str
    # Counts the changes; what they claim has it as its epoch.
    generation: int
    # The session that wrote it (see `model.claim.Fence`).
    session: int
    # What was carried out last; None until the create has come to its end.
    settled: PoolSpec | None
    # What is under way; None when nothing is.
    wanted: PoolSpec | None
    # Whoever may be claimed, those on their way in and out among them.
    members: Mapping[ServerName, Member]
    # Members that an rpool_node put here, outside of the cluster's own sizing, and the labels and
    # taints that they may have from it.
    pinned: Mapping[ServerName, NodeSpec] = field(default_factory=dict)
    # Former members that were given up while they were silent: whoever comes back has what it had,
    # and is wiped. Kept until it is seen without.
    let_go: frozenset[ServerName] = frozenset()
    # Fields of `RESERVED`, as they were found.
    reserved: Mapping[str, object] = field(default_factory=dict)

    @property
    def spec(self) -> PoolSpec:
        """The request that was carried out last; of a create that was cut off, what it wanted."""
        spec = self.settled or self.wanted
        if spec is None:
            raise ValueError("a record with nothing settled and nothing wanted")
        return spec

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way, so that the members are what was asked for."""
        return self.settled is not None and self.wanted is None

    @property
    def own(self) -> dict[ServerName, Member]:
        """The members of the cluster's own sizing."""
        return {name: its for name, its in self.members.items() if name not in self.pinned}

    @property
    def former(self) -> frozenset[ServerName]:
        """Those that were let go and have not come in anew since, whatever else the record says."""
        return self.let_go - self.members.keys() - self.pinned.keys()

    def of(self, role: Role) -> list[ServerName]:
        return [name for name, its in self.members.items() if its.role is role]
