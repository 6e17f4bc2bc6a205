"""A cluster as its users see it: names and public facts, nothing secret and nothing volatile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rpool.model.pool import DEFAULT_GROUP, ControlPlane, Endpoint, PoolSpec, PoolUid
from rpool.model.record import Member
from rpool.model.server import Role, ServerName


class Condition(StrEnum):
    """How a cluster is. Of several that hold it is the last."""

    SETTLED = "settled"
    DEGRADED = "degraded"  # a member is not well, for longer than its grace
    INCOMPLETE = "incomplete"  # a change is under way or was cut off
    UNREACHABLE = "unreachable"  # no control plane shows the API

    @property
    def is_whole(self) -> bool:
        """Whether the record is known to be settled, and the servers to be as it says."""
        return self in (Condition.SETTLED, Condition.DEGRADED)


@dataclass(frozen=True, slots=True)
class PoolView:
    """`cores` and `memory_gib` are the request that was carried out last; `allocated_*` is what
    the workload servers have as hardware, without those that are `lost`: silent, and not well for
    longer than their grace. `vip` is set where the cluster itself holds the endpoint's address.
    """

    uid: PoolUid
    name: str
    kubernetes_version: str
    cores: int
    memory_gib: int
    condition: Condition
    endpoint: str
    vip: str | None
    ca_certificate: str
    servers: Mapping[ServerName, Member]
    lost: frozenset[ServerName] = frozenset()
    schedulable: bool = False  # whether control planes count as workload servers

    @property
    def spec(self) -> PoolSpec:
        """As much of the request as a view tells: enough to take the cluster down."""
        endpoint = Endpoint(vip=self.vip, address=None if self.vip else self.endpoint)
        control_plane = ControlPlane(len(self.control_planes), endpoint)
        size = (self.cores, self.memory_gib)
        return PoolSpec(self.name, self.kubernetes_version, *size, control_plane)

    @property
    def control_planes(self) -> list[ServerName]:
        return [name for name, its in self.servers.items() if its.role is Role.CONTROL_PLANE]

    @property
    def allocated_cores(self) -> int:
        return sum(its.cores for its in self._working)

    @property
    def allocated_memory_gib(self) -> int:
        return sum(its.memory_gib for its in self._working)

    @property
    def _working(self) -> list[Member]:
        there = (its for name, its in self.servers.items() if name not in self.lost)
        there = (its for its in there if its.group == DEFAULT_GROUP)
        return [its for its in there if self.schedulable or its.role is Role.WORKER]
