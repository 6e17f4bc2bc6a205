"""What is looked at on servers before they are claimed, and what was seen.

A probe tells what a server is. An inspection tells whether it can do what it is to do: it takes
longer, so it is made of the servers of one change alone, and of all of them at once: they try
whether they reach each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rpool.model.server import Role, ServerName

ANOTHERS_TRIAL = "rpool-trial"
"""Who has a port that another cluster's trial has, at the same time: it is in no way in use."""


@dataclass(frozen=True, slots=True, order=True)
class Port:
    number: int
    protocol: Literal["tcp", "udp"] = "tcp"

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}"

    @classmethod
    def read(cls, text: str) -> Port:
        """As `str` writes it. Raises ValueError."""
        protocol, _, number = text.partition("/")
        if protocol == "tcp":
            return cls(int(number), "tcp")
        if protocol == "udp":
            return cls(int(number), "udp")
        raise ValueError(f"{text!r} is no port")


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection to a port of `peer`. `served`: the peer is a member, so what answers there is a
    service of its own.
    """

    peer: ServerName
    port: Port
    served: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One server's part in an inspection."""

    # None: it is a member already, only takes part, and is not looked at itself.
    joins: Role | None
    # On which it listens, so that none of them may be in use.
    listens: tuple[Port, ...]
    visits: tuple[Visit, ...]
    # Who visits it, and where.
    guests: tuple[tuple[ServerName, Port], ...]
    # Kernel modules that it needs.
    modules: tuple[str, ...]
    # Whether it matters which containerd its package sources have.
    asks_apt: bool = False
    # For how long it waits for the others, and what tells this trial from another.
    seconds: float = 4.0
    word: str = "trial"


@dataclass(frozen=True, slots=True)
class Folder:
    """What is free where a folder is, or would be. `free_inodes`: None where none are counted."""

    path: str
    writable: bool
    free_mib: int
    free_inodes: int | None
    mount: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """What one server showed. What could not be told is None or empty."""

    # Of the interface that has the fleet's address ("" where none has it).
    interface: str
    mac: str
    mtu: int
    # What /etc/os-release calls it, and what it is, or is like.
    system: str = ""
    systems: frozenset[str] = frozenset()
    systemd: bool = True
    # The type of file system that the control groups are: cgroup2fs is version 2.
    cgroups: str = "cgroup2fs"
    kernel: str = ""
    missing_modules: tuple[str, ...] = ()
    # The version that is there, or else the one that apt would install.
    containerd: str = ""
    containerd_to_come: str = ""
    folders: tuple[Folder, ...] = ()
    # How long a write to etcd's disk takes.
    write_ms: float | None = None
    swap_mib: int = 0
    available_mib: int | None = None
    resolvers: tuple[str, ...] = ()
    synchronized: bool | None = None
    firewalls: tuple[str, ...] = ()
    # Ports that are in use, and by whom.
    used: Mapping[Port, str] = field(default_factory=dict)
    # Visits that were made in vain, and what came back.
    cut: Mapping[tuple[ServerName, Port], str] = field(default_factory=dict)
    # The largest packet that came to these servers and back, where that is not the interface's.
    narrow: Mapping[ServerName, int] = field(default_factory=dict)
