"""The record: a pool's own account of itself, kept in the cluster (ConfigMap `kube-system/rpool`).

It is written before the first step of a change, so that an operation that is cut off anywhere can
be finished by whoever comes next. It holds public facts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rpool.model.pool import NodeSpec, PoolSpec, PoolUid
from rpool.model.server import Role, ServerName


class RecordPhase(StrEnum):
    APPLYING = "applying"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Member:
    """A server of the pool as the record knows it; sizes are nominal, memory in GiB."""

    role: Role
    address: str
    zone: str
    cores: int
    memory_gib: int


@dataclass(frozen=True, slots=True)
class Record:
    """What was carried out last (`spec`), and the servers that the pool has.

    `generation` counts the pool's changes. While one is under way (`applying`), it is for what is
    `wanted`, and `members` has those that are `joining` and those that are `leaving`, too: whoever
    may be claimed is here. They stay so if the change is cut off: the next one goes on with the
    former, and the latter do not come back. A pool whose create was cut off is not `created` until
    a change comes to its end; `spec` is what it was to be. `metallb` may be there although `spec`
    has no addresses for it: a change that was to install it, or to remove it, was cut off.

    `pinned` are members that were put here one by one, each with what is asked of it; they are
    outside of the pool's own sizing. `retired` were let go without a reset, since they were lost:
    should such a server return, it is not a member. `change` is the id of the change that wrote it.
    """

    uid: PoolUid
    spec: PoolSpec
    generation: int
    phase: RecordPhase
    members: Mapping[ServerName, Member]
    joining: frozenset[ServerName] = frozenset()
    leaving: frozenset[ServerName] = frozenset()
    retired: frozenset[ServerName] = frozenset()
    pinned: Mapping[ServerName, NodeSpec] = field(default_factory=dict)
    wanted: PoolSpec | None = None
    created: bool = True
    metallb: bool = False
    change: str = ""

    @property
    def may_have_metallb(self) -> bool:
        return self.metallb or bool(self.spec.metallb_pools)

    @property
    def own(self) -> dict[ServerName, Member]:
        """The members of the pool's own sizing."""
        return {name: its for name, its in self.members.items() if name not in self.pinned}
