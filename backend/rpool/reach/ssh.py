"""Runs commands on servers as root, over SSH: one narrow port, with outcomes as types.

A command that ended is `Completed`, whatever its exit code. Everything else is an error that says
what is known: `Unreachable` (it never started), `OutcomeUnknown` (contact was lost while it ran),
`TimedOut` (it ran for longer than allowed; contact is fine), `CommandFailed` (it printed more than
any command of ours does).
"""

from __future__ import annotations

import select
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import paramiko

from rpool.advice import Do
from rpool.errors import CommandFailed, NotInFleet, OutcomeUnknown, Refused, TimedOut, Unreachable
from rpool.model.server import Fleet, Server, ServerName
from rpool.model.site import Ssh
from rpool.reach.connection import connect
from rpool.reach.keys import load_private_key

CHANNELS = 8  # sshd's MaxSessions is 10 per connection
CHUNK = 1 << 16
MOST_OUTPUT_BYTES = 8 << 20  # output is kept in memory, that of many servers at once
BROKEN = (paramiko.SSHException, EOFError, OSError)  # what paramiko raises when contact is lost


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: bytes


class Sessions:
    """A session for each server of a fleet. Thread-safe; a session connects when it is used."""

    def __init__(self, fleet: Fleet, ssh: Ssh) -> None:
        key = load_private_key(ssh.private_key)
        self._sessions = {name: Session(server, ssh, key) for name, server in fleet.servers.items()}

    def session(self, name: ServerName) -> Session:
        if name not in self._sessions:
            raise NotInFleet(f"{name} is no longer in the fleet", Do.PUT_ENTRY_BACK.text())
        return self._sessions[name]

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()


@dataclass(slots=True)
class _Connection:
    transport: paramiko.Transport
    channels: int = 0


@dataclass(slots=True)
class Session:
    """One server. Concurrent commands share a connection, up to what sshd allows on one."""

    server: Server
    ssh: Ssh
    key: paramiko.PKey
    _connections: list[_Connection] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)
    # When the last try to connect failed (time.monotonic), and why.
    _failed: tuple[float, Unreachable] | None = None

    def run(self, command: str, stdin: bytes = b"", timeout_seconds: float = 60) -> Completed:
        """Runs a shell command as root and waits for its end."""
        deadline = time.monotonic() + timeout_seconds
        with self.channel(command) as channel:
            try:
                if stdin:
                    threading.Thread(target=_feed, args=(channel, stdin), daemon=True).start()
                else:
                    channel.shutdown_write()
                stdout, stderr = self._collect(channel, command, deadline)
            except BROKEN:
                raise self._lost() from None
            if not channel.exit_status_ready() or channel.exit_status < 0:
                raise self._lost()
            return Completed(channel.exit_status, stdout, stderr)

    @contextmanager
    def channel(self, command: str) -> Iterator[paramiko.Channel]:
        """A channel on which the command has been started as root."""
        connection, channel = self._open()
        try:
            try:
                self._start(channel, self._as_root(command))
            except BROKEN:
                raise self._lost() from None
            yield channel
        finally:
            try:
                _close(channel)
            finally:
                with self._lock:
                    connection.channels -= 1

    def close(self) -> None:
        """Closes all connections, and ends waiting for a server that does not answer."""
        self._closed.set()
        with self._lock:
            for connection in self._connections:
                connection.transport.close()
            self._connections.clear()

    def _start(self, channel: paramiko.Channel, command: str) -> None:
        """Starts a command within the connect timeout: by itself paramiko would wait without end
        for an sshd that has frozen.
        """
        limit = threading.Timer(self.ssh.connect_timeout_seconds, _close, (channel,))
        limit.daemon = True
        limit.start()
        try:
            channel.exec_command(command)
        finally:
            limit.cancel()

    def _as_root(self, command: str) -> str:
        shell = f"sh -c {shlex.quote(command)}"
        return shell if self.ssh.user == "root" else f"sudo -n -- {shell}"

    def _open(self) -> tuple[_Connection, paramiko.Channel]:
        """A channel, on a connection that is open already if one of them still works."""
        while True:
            connection, fresh = self._connection()
            try:
                seconds = self.ssh.connect_timeout_seconds
                return connection, connection.transport.open_session(timeout=seconds)
            except Exception as error:  # paramiko raises whatever its thread met
                connection.transport.close()
                with self._lock:
                    connection.channels -= 1
                if fresh:
                    why = str(error) or "it closed the connection"
                    raise Unreachable(f"{self.server.name} opens no session: {why}") from None

    def _connection(self) -> tuple[_Connection, bool]:
        """A connection with room for one more channel, which is counted, and whether it is new.

        Callers that waited while a try to connect failed get its error and do not try themselves:
        on a dead server each try would take the whole timeout, one after the other.
        """
        asked = time.monotonic()
        with self._lock:
            self._connections = [c for c in self._connections if c.transport.is_active()]
            for connection in self._connections:
                if connection.channels < CHANNELS:
                    connection.channels += 1
                    return connection, False
            if self._failed is not None and self._failed[0] > asked:
                why = self._failed[1]
                raise type(why)(why.summary, why.detail)
            connection = _Connection(self._connected(), 1)
            self._check_sudo(connection.transport)
            self._connections.append(connection)
            return connection, True

    def _connected(self) -> paramiko.Transport:
        try:
            return connect(self.server, self.ssh, self.key, self._closed)
        except Unreachable as why:
            self._failed = time.monotonic(), why
            raise

    def _check_sudo(self, transport: paramiko.Transport) -> None:
        if self.ssh.user == "root" or self._connections:
            return
        try:
            channel = transport.open_session(timeout=self.ssh.connect_timeout_seconds)
            self._start(channel, "sudo -n true")
            channel.status_event.wait(self.ssh.connect_timeout_seconds)
            code = channel.exit_status
        except Exception as error:  # as in _open
            transport.close()
            raise Unreachable(f"{self.server.name}: contact broke after login: {error}") from None
        _close(channel)
        if code < 0:
            transport.close()
            raise Unreachable(f"{self.server.name} did not answer sudo after login")
        if code != 0:
            transport.close()
            raise Refused(
                f"{self.ssh.user} may not become root on {self.server.name} without a password",
                f"Allow it there: {self.ssh.user} ALL=(ALL) NOPASSWD: ALL in /etc/sudoers.d/.",
            )

    def _collect(
        self, channel: paramiko.Channel, command: str, deadline: float
    ) -> tuple[bytes, bytes]:
        """The command's stdout and stderr, until it has ended or contact is lost."""
        stdout, stderr = bytearray(), bytearray()
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        while True:
            ended = channel.closed or (channel.exit_status_ready() and channel.eof_received)
            while channel.recv_ready() and len(stdout) <= MOST_OUTPUT_BYTES:
                stdout += channel.recv(CHUNK)
            while channel.recv_stderr_ready() and len(stderr) <= MOST_OUTPUT_BYTES:
                stderr += channel.recv_stderr(CHUNK)
            if len(stdout) + len(stderr) > MOST_OUTPUT_BYTES:
                raise self._too_much()
            if ended:
                return bytes(stdout), bytes(stderr)
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimedOut(f"{self.server.name}: a command did not end in time")
            if channel.eof_received:  # the output has ended; the command may end later
                channel.status_event.wait(min(remaining, 1.0))
            else:
                poll.poll(min(remaining, 1.0) * 1000)

    def _too_much(self) -> CommandFailed:
        return CommandFailed(
            f"{self.server.name} printed more than {MOST_OUTPUT_BYTES >> 20} MiB in one command",
            "No command of rpool's does that: something is wrong with the server.",
        )

    def _lost(self) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"contact with {self.server.name} was lost while a command ran there",
            "It may have been carried out or not.",
        )


def _close(channel: paramiko.Channel) -> None:
    """Closes a channel. The command's end is known by then, so a broken connection is no error."""
    with suppress(*BROKEN):
        channel.close()


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    """Sends a command its standard input. The command need not read all of it; its exit code says
    how it went.
    """
    try:
        channel.sendall(stdin)
        channel.shutdown_write()
    except BROKEN:
        pass
