"""The modelled servers in a file, for all processes that work on them.

Terraform starts several processes for one command, people start several commands, and `rpool
simulate` changes the file meanwhile. So each look and each change holds an flock for that moment,
and the file is replaced as a whole: a process that dies at any point leaves a file that is whole.
It holds names and public facts as JSON: all servers once, the state of those that are not as new,
and each cluster once, since servers share it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpool.advice import Do
from rpool.errors import Refused
from rpool.model.pool import PoolUid
from rpool.model.server import Server, ServerName
from rpool.simulate.machine import Cluster, Machine

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_VERSION = 2
_LEFT_OUT: Any = {
    "__all__": {
        "server": True,
        "cluster": {field.name for field in fields(Cluster)} - {"key"},
    }
}
"""Parts of a machine that are elsewhere in the file."""

Machines = dict[ServerName, Machine]


class Store:
    """One such file. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None  # open, so that its inode is not used again
        self._content = b""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for other processes, and keep them waiting. Raises Refused in a read-only folder."""
        file = self._open_lock(self.path.with_suffix(".lock"))
        try:
            self._lock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def is_current(self) -> bool:
        """Whether the file is still the one that was loaded or saved here last."""
        return self._file is not None and _identity(self._file) == _identity(self.path)

    def load(self) -> Machines | None:
        """All servers; None when there is no file. Raises Refused when it is not one of ours."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            self._remember(b"")
            return None
        except OSError as error:
            raise _no_use(self.path, error) from error
        machines = _decode(self.path, content)
        self._remember(content)
        return machines

    def save(self, machines: Mapping[ServerName, Machine]) -> None:
        """Only under `alone`. What has not changed is not written."""
        content = _encode(machines)
        if content == self._content and self.is_current():
            return
        part = self.path.with_suffix(".part")
        try:
            part.write_bytes(content)
            part.replace(self.path)  # no fsync: a power cut may take a model with it
        except OSError as error:
            raise _no_use(self.path, error) from error
        self._remember(content)

    @contextmanager
    def session(self, server: ServerName, uid: PoolUid) -> Iterator[None]:
        """Hold a cluster's session lock on a server, against other processes. A process that died
        holds none: the kernel releases it. Raises Refused. Enter and leave under `alone`.
        """
        path = self.path.with_suffix(f".{server}.{uid}.lock")
        file = self._open_lock(path)
        try:
            try:
                self._lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(
                    f"cluster {uid} is locked on {server} (simulated)",
                    f"Another terraform is working on it. {Do.WAIT.text()}",
                ) from None
            yield
            path.unlink(missing_ok=True)
        finally:
            os.close(file)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open_lock(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _no_use(self.path, error) from error

    def _lock(self, file: int, how: int) -> None:
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            raise
        except OSError as error:  # a network file system without locks
            raise _no_use(self.path, error) from error

    def _remember(self, content: bytes) -> None:
        self.close()
        self._content = content
        with suppress(FileNotFoundError):
            self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)


def _identity(file: int | Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 Path has no stat of an open file
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _no_use(path: Path, error: OSError) -> Refused:
    return Refused(
        f"the modelled servers cannot be kept in {path.name}: {error.strerror}",
        f"{path} must be a file that can be read and replaced, in a folder that can be written to.",
    )


# -- the format ------------------------------------------------------------------------------


@cache
def _adapters() -> tuple[TypeAdapter[Any], TypeAdapter[Any], TypeAdapter[Any]]:
    from pydantic import TypeAdapter

    return (
        TypeAdapter(dict[ServerName, Server]),
        TypeAdapter(dict[str, Cluster]),
        TypeAdapter(Machines),
    )


def _encode(machines: Mapping[ServerName, Machine]) -> bytes:
    servers, clusters, states = _adapters()
    used = {n: m for n, m in machines.items() if m != Machine(m.server)}
    by_key = {m.cluster.key: m.cluster for m in used.values() if m.cluster is not None}
    return b'{"version":%d,\n"fleet":%b,\n"clusters":%b,\n"machines":%b}\n' % (
        _VERSION,
        servers.dump_json({n: m.server for n, m in machines.items()}, exclude_defaults=True),
        clusters.dump_json(by_key, exclude_defaults=True),
        states.dump_json(used, exclude_defaults=True, exclude=_LEFT_OUT),
    )


def _decode(path: Path, content: bytes) -> Machines:
    servers, clusters, states = _adapters()
    try:
        data = json.loads(content)
        if data["version"] != _VERSION:
            raise Refused(
                f"{path.name} was written by another version of rpool",
                f"It is in format {data['version']}; this version knows {_VERSION}. "
                + Do.REMOVE_FILE.text(),
            )
        fleet = servers.validate_python(data["fleet"])
        by_key = clusters.validate_python(data["clusters"])
        for name, state in data["machines"].items():
            state["server"] = fleet[name]
            if "cluster" in state:
                state["cluster"] = by_key[state["cluster"]["key"]]
        used: Machines = states.validate_python(data["machines"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        damaged = f"{path.name} is damaged: {type(error).__name__}"
        raise Refused(damaged, Do.REMOVE_FILE.text()) from error
    return {name: used.get(name) or Machine(server) for name, server in fleet.items()}
