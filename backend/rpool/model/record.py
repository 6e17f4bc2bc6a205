"""The record: a pool's own account of itself, kept in the cluster (ConfigMap `kube-system/rpool`).

It is written before the first step of a change, so that an operation that is cut off anywhere can
be finished by whoever comes next. It holds public facts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rpool.model.pool import PoolUid
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
    """`cores` and `memory_gib` are what was asked for; `members` is what the pool has."""

    uid: PoolUid
    name: str
    kubernetes_version: str
    cores: int
    memory_gib: int
    generation: int
    phase: RecordPhase
    members: Mapping[ServerName, Member]

    def as_dict(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "name": self.name,
            "kubernetes_version": self.kubernetes_version,
            "cores": self.cores,
            "memory_gib": self.memory_gib,
            "generation": self.generation,
            "phase": self.phase.value,
            "members": {
                name: {
                    "role": member.role.value,
                    "address": member.address,
                    "zone": member.zone,
                    "cores": member.cores,
                    "memory_gib": member.memory_gib,
                }
                for name, member in sorted(self.members.items())
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """The record in parsed JSON; raises KeyError or ValueError when it is none."""
        return cls(
            uid=data["uid"],
            name=data["name"],
            kubernetes_version=data["kubernetes_version"],
            cores=int(data["cores"]),
            memory_gib=int(data["memory_gib"]),
            generation=int(data["generation"]),
            phase=RecordPhase(data["phase"]),
            members={
                name: Member(
                    role=Role(member["role"]),
                    address=member["address"],
                    zone=member["zone"],
                    cores=int(member["cores"]),
                    memory_gib=int(member["memory_gib"]),
                )
                for name, member in data["members"].items()
            },
        )
