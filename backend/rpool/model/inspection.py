"""Inspections: what is checked on servers before they are claimed, and the results.

A probe shows what a server is. An inspection shows whether it can do its part. It takes longer, so
only the servers of one change are inspected, all at once: they test whether they reach each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rpool.model.server import Role, ServerName

ANOTHERS_TRIAL = "rpool-trial"
"""The user of a port on which another cluster's trial listens now: that is no conflict."""


@dataclass(frozen=True, slots=True, order=True)
class Port:
    number: int
    protocol: Literal["tcp", "udp"] = "tcp"

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}"

    @classmethod
    def read(cls, text: str) -> Port:
        """The port in a text as `str` writes it. Raises ValueError."""
        protocol, _, number = text.partition("/")
        if protocol == "tcp":
            return cls(int(number), "tcp")
        if protocol == "udp":
            return cls(int(number), "udp")
        raise ValueError(f"{text!r} is no port")


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection to a port of `peer`. `served`: the peer is a member, so one of its own services
    answers there.
    """

    peer: ServerName
    port: Port
    served: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One server's part in an inspection."""

    # Its role to be. None: it is a member already, and only takes part for the others.
    joins: Role | None
    # Ports on which it listens, so none of them may be in use.
    listens: tuple[Port, ...]
    visits: tuple[Visit, ...]
    # The servers that visit it, and at which port.
    guests: tuple[tuple[ServerName, Port], ...]
    # Kernel modules that it needs.
    modules: tuple[str, ...]
    # Whether to ask which containerd its package sources have.
    asks_apt: bool = False
    # How long it waits for the others, and the word that identifies this trial.
    seconds: float = 4.0
    word: str = "trial"


@dataclass(frozen=True, slots=True)
class Folder:
    """The space that is free where a folder is or would be. `free_inodes`: None if not counted."""

    path: str
    writable: bool
    free_mib: int
    free_inodes: int | None
    mount: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """The results of one server. What is unknown is None or empty."""

    # The interface that has the fleet's address ("" where none has it), its MAC and its MTU.
    interface: str
    mac: str
    mtu: int
    # The system's name in /etc/os-release, and its ID and ID_LIKE.
    system: str = ""
    systems: frozenset[str] = frozenset()
    systemd: bool = True
    # The type of file system of the control groups: cgroup2fs is version 2.
    cgroups: str = "cgroup2fs"
    kernel: str = ""
    missing_modules: tuple[str, ...] = ()
    # The version that is installed, or else the one that apt would install.
    containerd: str = ""
    containerd_to_come: str = ""
    folders: tuple[Folder, ...] = ()
    # How many ms a write to etcd's disk takes.
    write_ms: float | None = None
    swap_mib: int = 0
    available_mib: int | None = None
    resolvers: tuple[str, ...] = ()
    synchronized: bool | None = None
    firewalls: tuple[str, ...] = ()
    # Ports that are in use, and by what.
    used: Mapping[Port, str] = field(default_factory=dict)
    # Visits that failed, and what came back.
    cut: Mapping[tuple[ServerName, Port], str] = field(default_factory=dict)
    # The largest packet that came to these servers and back, where it is below the interface's MTU.
    narrow: Mapping[ServerName, int] = field(default_factory=dict)
