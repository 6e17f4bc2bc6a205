"""Where a lab's things are and how they are called.

Everything that a lab makes carries its name, so two labs stand side by side, and `down` finds
all of it again even if the process that made it has died.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.cache import Cache, write
from lab.command import LabError
from lab.site.servers import Server, servers

RUN = Path("/run/rpool-lab")
NAME = re.compile(r"[a-z][a-z0-9]{0,9}")
NETWORKS = 100
COMPLETE = "complete"


@dataclass(frozen=True)
class Lab:
    """A lab that is up, or coming up."""

    name: str
    kubernetes: str
    network: str  # the first three parts of its addresses
    server_count: int
    root_layers: tuple[str, ...]  # the servers' system, topmost first
    disks: str

    @property
    def run(self) -> Path:
        return RUN / self.name

    @property
    def switch(self) -> str:
        """The namespace with the bridge and the mirrors."""
        return f"rpl-{self.name}-net"

    @property
    def desk(self) -> str:
        """The namespace that the operator works from."""
        return f"rpl-{self.name}-desk"

    @property
    def gateway(self) -> str:
        """The address of the bridge, which is the mirrors' too."""
        return f"{self.network}.1"

    @property
    def desk_address(self) -> str:
        return f"{self.network}.2"

    @property
    def key(self) -> Path:
        """The operator's private SSH key."""
        return self.run / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.run / "known_hosts"

    @property
    def fleet(self) -> list[Server]:
        return servers(self.server_count, self.network)

    def server(self, name: str) -> Server:
        for server in self.fleet:
            if server.name == name:
                return server
        known = ", ".join(server.name for server in self.fleet)
        raise LabError(f"lab {self.name} has no server {name}; it has {known}")

    def namespace(self, server: Server) -> str:
        return f"rpl-{self.name}-{server.name}"

    def disk(self, server: Server) -> Path:
        return Path(self.disks) / server.name

    def console(self, server: Server) -> Path:
        return self.run / "console" / f"{server.name}.log"

    def cut_mark(self, server: Server) -> Path:
        """Exists while the server's cable is pulled."""
        return self.run / "cut" / server.name

    def save(self) -> None:
        write(self.run / "lab.json", json.dumps(asdict(self), indent=2) + "\n")

    def complete(self) -> None:
        """Note that every part of the lab is up; without this note `up` starts over."""
        write(self.run / COMPLETE, "")


def checked_name(name: str) -> str:
    """A name that fits into those of namespaces and control groups."""
    if not NAME.fullmatch(name):
        raise LabError(f"a lab's name is a letter and at most 9 letters or digits, not {name!r}")
    return name


def find(name: str) -> Lab:
    """The lab of that name, or an error that says how to make it."""
    saved = RUN / checked_name(name) / "lab.json"
    if not saved.exists():
        raise LabError(f"there is no lab {name}; `python -m lab up --name {name}` makes one")
    facts = json.loads(saved.read_text())
    return Lab(**{**facts, "root_layers": tuple(facts["root_layers"])})


def all_labs() -> list[Lab]:
    return [find(path.parent.name) for path in sorted(RUN.glob("*/lab.json"))]


def is_complete(name: str) -> bool:
    return (RUN / name / COMPLETE).exists()


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Hold a lock of that name, so that two processes don't change the same thing at once."""
    locks = RUN / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / what).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_network() -> str:
    """The first network that no lab uses."""
    taken = {lab.network for lab in all_labs()}
    for third in range(NETWORKS):
        if (network := f"10.88.{third}") not in taken:
            return network
    raise LabError("all networks are taken by labs; take one down")


def disks_folder(cache: Cache, name: str) -> Path:
    return cache.labs / name
