"""Lets Ansible reach servers without a key, an address or an `ssh` program.

Ansible's connection plugin (`ansible/plugins/connection/rpool.py`) is a client of a socket in a
private folder; each request is one command, which the broker runs through the provider's own SSH
session to that server. The caller's `Run` functions decide what may run there: the engine passes
guarded ones. Nothing that passes through is logged.

The folder keeps other users out. On Linux other processes of the same user are kept out too: a
client has to descend from Ansible.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any, BinaryIO, Protocol

from rpool.errors import Bug, RpoolError
from rpool.model.server import ServerName


class Completed(Protocol):
    """How a command ended."""

    @property
    def code(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...


Run = Callable[[str, bytes], Completed]
"""Runs a command with this standard input on one server. Raises RpoolErrors."""


class Broker:
    """Serves while it is entered; leaving it disconnects all clients. `failures` has, by server,
    the error that a command raised: Ansible reports it as text, and callers need its type.
    """

    def __init__(self, path: Path, servers: Mapping[ServerName, Run]) -> None:
        self.path = path
        self.failures: dict[ServerName, RpoolError] = {}
        self._servers = servers
        self._server = _Server(str(path), self._handle)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="ansible-broker", daemon=True
        )

    def serve_only(self, ancestor: int) -> None:
        """Answers only this process and its descendants from now on."""
        self._server.ancestor = ancestor

    def __enter__(self) -> Broker:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()

    def _handle(self, request: BinaryIO, answer: BinaryIO) -> None:
        line = request.readline()
        if not line:
            return
        header = json.loads(line)
        server, command = str(header["server"]), str(header["command"])
        stdin = request.read(int(header["stdin"]))
        try:
            completed = self._servers[server](command, stdin)
        except Exception as error:
            failure = as_failure(server, error)
            self.failures[server] = failure
            answer.write(json.dumps({"error": failure.summary}).encode() + b"\n")
            return
        sizes = {
            "code": completed.code,
            "stdout": len(completed.stdout),
            "stderr": len(completed.stderr),
        }
        answer.write(json.dumps(sizes).encode() + b"\n" + completed.stdout + completed.stderr)


def as_failure(server: ServerName, error: Exception) -> RpoolError:
    if isinstance(error, RpoolError):
        return error
    return Bug(f"running a command of Ansible's on {server} raised {type(error).__name__}")


class _Server(ThreadingMixIn, UnixStreamServer):
    """A thread for each request: a command on one server never waits for that of another."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: str, handle: Callable[[BinaryIO, BinaryIO], None]) -> None:
        self.handle = handle
        self.ancestor: int | None = None
        self._clients: set[socket.socket] = set()
        super().__init__(path, _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self.ancestor is None or _descends(_peer(request), self.ancestor)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._clients.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Disconnects all clients: Ansible's workers outlive Ansible when it is killed."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Does nothing: a client that went away needs no answer."""


class _Handler(StreamRequestHandler):
    server: _Server
    wbufsize = -1

    def handle(self) -> None:
        self.server.handle(self.rfile, self.wfile)  # type: ignore[arg-type]


def _peer(client: socket.socket) -> int | None:
    """The pid at the other end; None where the system does not tell it."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = client.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def _descends(pid: int | None, ancestor: int) -> bool:
    """Whether a process is `ancestor` or descends from it. True where the system does not tell."""
    if pid is None:
        return True
    while pid > 1 and pid != ancestor:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return not Path(f"/proc/{os.getpid()}").exists()
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid == ancestor
