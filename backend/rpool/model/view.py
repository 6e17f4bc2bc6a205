"""A cluster as its users see it: names and public facts, nothing secret and nothing volatile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rpool.model.pool import DEFAULT_GROUP, ControlPlane, Endpoint, PoolSpec, PoolUid
from rpool.model.record import Member
from rpool.model.server import Role, ServerName


class Condition(StrEnum):
    """The condition of a cluster. Where several apply, the last one counts."""

    SETTLED = "settled"
    DEGRADED = "degraded"  # a member is not well, for longer than its grace
    INCOMPLETE = "incomplete"  # a change is under way or was cut off
    UNREACHABLE = "unreachable"  # no control plane shows the API

    @property
    def is_whole(self) -> bool:
        """Whether the record is known to be settled, and the servers are as it says."""
        return self in (Condition.SETTLED, Condition.DEGRADED)


@dataclass(frozen=True, slots=True)
class PoolView:
    """A cluster as its users see it. `cores` and `memory_gib` are the request that was carried out
    last. `allocated_*` is the hardware of the workload servers without those that are `lost`:
    silent, and not well for longer than their grace. `vip` is set where the cluster itself holds
    the endpoint's address.
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
        """The part of the request that a view has: enough to destroy the cluster."""
        endpoint = Endpoint(vip=self.vip, address=None if self.vip else self.endpoint)
        control_plane = ControlPlane(len(self.control_planes), endpoint)
        size = (self.cores, self.memory_gib)
        return PoolSpec(self.name, self.kubernetes_version, *size, control_plane)

    @property
    def control_planes(self) -> list[ServerName]:
        return [name for name, member in self.servers.items() if member.role is Role.CONTROL_PLANE]

    @property
    def allocated_cores(self) -> int:
        return sum(member.cores for member in self._working)

    @property
    def allocated_memory_gib(self) -> int:
        return sum(member.memory_gib for member in self._working)

    @property
    def _working(self) -> list[Member]:
        counted = (member for name, member in self.servers.items() if name not in self.lost)
        counted = (member for member in counted if member.group == DEFAULT_GROUP)
        return [member for member in counted if self.schedulable or member.role is Role.WORKER]
