"""Servers and the fleet they form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rpool.model.trust import COMMON, Domain

ServerName = str

SERVER_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS label, since it is also the name of a Kubernetes Node."""


class Role(StrEnum):
    """What a server does in its cluster."""

    CONTROL_PLANE = "control_plane"
    WORKER = "worker"


Roles = Mapping[ServerName, Role]
"""The role of each server in its cluster."""


@dataclass(frozen=True, slots=True)
class Server:
    """A piece of hardware as the fleet declares it: cores, memory in GiB, an SSH host key."""

    name: ServerName
    address: str
    cores: int
    memory_gib: int
    zone: str
    host_key: str
    port: int = 22
    labels: Mapping[str, str] = field(default_factory=dict)
    reserved: bool = False
    retire: bool = False
    lost: bool = False
    trust: Domain = COMMON


@dataclass(frozen=True, slots=True)
class Fleet:
    """All servers of a site, by name."""

    servers: Mapping[ServerName, Server]

    @property
    def zones(self) -> frozenset[str]:
        return frozenset(server.zone for server in self.servers.values())
