"""One authenticated SSH connection to a server that has the declared host key, or an error."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import threading
import time

import paramiko
from tenacity import (
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_fixed,
)

from rpool.advice import Do
from rpool.errors import Problem, RpoolError, SpecError, Unreachable, WrongHostKey
from rpool.model.server import Server
from rpool.model.site import Ssh
from rpool.reach.keys import HostKey, fingerprint

KEEPALIVE_SECONDS = 5
SILENCE_MILLISECONDS = 20_000  # contact is lost with a peer that acknowledges nothing for so long
STOPPED_MILLISECONDS = 200  # between two looks at `stopped` while a connection is awaited

CIPHERS = tuple(
    f"aes{bits}-{mode}"
    for mode in ("ctr", "gcm@openssh.com")
    for bits in (128, 192, 256)
    if (bits, mode) != (192, "gcm@openssh.com")
)
MACS = tuple(f"hmac-sha2-{bits}{tail}" for tail in ("-etm@openssh.com", "") for bits in (256, 512))
"""What OpenSSH has offered since 2014; paramiko would also take CBC, 3DES, MD5 and SHA-1."""

MOST_CHARACTERS = 400

logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)  # its errors are raised as well


class LoginRefused(Unreachable):
    """The server answers and refuses the login; another try changes nothing."""

    retryable = False


def connect(
    server: Server, ssh: Ssh, key: paramiko.PKey, stopped: threading.Event
) -> paramiko.Transport:
    """A live transport. Failures that may pass (a server is booting) are retried, within the
    connect timeout and until `stopped` is set.

    Raises Unreachable, and Refused for a host key that is not the declared one.
    """
    deadline = time.monotonic() + ssh.connect_timeout_seconds
    late = stop_after_delay(ssh.connect_timeout_seconds)
    retrying = Retrying(
        retry=retry_if_exception(lambda e: isinstance(e, RpoolError) and e.retryable),
        stop=stop_after_attempt(3) | late | stop_when_event_set(stopped),
        wait=wait_fixed(0.5),
        sleep=sleep_using_event(stopped),
        reraise=True,
    )
    return retrying(_connect_once, server, ssh, key, deadline, stopped)


def _connect_once(
    server: Server, ssh: Ssh, key: paramiko.PKey, deadline: float, stopped: threading.Event
) -> paramiko.Transport:
    expected = HostKey.of(server)
    transport = transport_to(server, deadline, stopped)
    try:
        _shake_hands(transport, server, expected, deadline)
        _log_in(transport, server, ssh, key)
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(KEEPALIVE_SECONDS)
    return transport


def transport_to(
    server: Server, deadline: float, stopped: threading.Event | None = None
) -> paramiko.Transport:
    """A connection before the SSH handshake. Raises Unreachable."""
    seconds = max(0.1, deadline - time.monotonic())
    try:
        connection = _connected_socket(server, seconds, stopped or threading.Event())
    except OSError as error:
        raise unreachable(server, _reason(error, seconds)) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MILLISECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        transport = paramiko.Transport(connection)
    except paramiko.SSHException as error:
        connection.close()
        raise unreachable(server, str(error)) from None
    seconds = max(0.1, deadline - time.monotonic())
    transport.banner_timeout = transport.auth_timeout = transport.handshake_timeout = seconds
    return transport


def _connected_socket(server: Server, seconds: float, stopped: threading.Event) -> socket.socket:
    """A connected socket, as socket.create_connection makes it, but `stopped` ends the wait: a
    dead server would use up all of `seconds`.
    """
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        code = connection.connect_ex((server.address, server.port))
        if code == errno.EINPROGRESS:
            _await_connection(connection, time.monotonic() + seconds, stopped)
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        connection.setblocking(True)
    except BaseException:
        connection.close()
        raise
    if code:
        connection.close()
        raise OSError(code, os.strerror(code))
    return connection


def _await_connection(connection: socket.socket, end: float, stopped: threading.Event) -> None:
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    while not poll.poll(STOPPED_MILLISECONDS):
        if stopped.is_set():
            raise InterruptedError(errno.EINTR, "nobody waits for it any more")
        if time.monotonic() >= end:
            raise TimeoutError


def _reason(error: OSError, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    return error.strerror or str(error)


def _shake_hands(
    transport: paramiko.Transport, server: Server, expected: HostKey, deadline: float
) -> None:
    options = transport.get_security_options()
    options.ciphers, options.digests = CIPHERS, MACS
    try:
        options.key_types = expected.algorithms
    except ValueError:
        path = ("fleet", server.name, "host_key")
        summary = f"the host key of {server.name} is of an unknown type, {expected.kind}"
        raise SpecError([Problem(path, summary)]) from None
    try:
        transport.start_client(timeout=max(0.1, deadline - time.monotonic()))
        presented = transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        if "host key" not in str(error):
            raise unreachable(server, f"its SSH is outdated, or locked down: {error}") from None
        raise _wrong_key(server, expected, f"none of type {expected.kind}") from None
    except Exception as error:  # paramiko raises whatever its thread met: a peer may send anything
        reason = str(error) or "it closed the connection"
        raise unreachable(server, f"no SSH there: {reason}") from None
    if presented.asbytes() != expected.blob:
        raise _wrong_key(server, expected, fingerprint(presented.asbytes()))


def _wrong_key(server: Server, expected: HostKey, presented: str) -> WrongHostKey:
    return WrongHostKey(
        f"{server.name} ({server.address}) does not have the host key that the fleet declares",
        f"Expected {expected.kind} {expected.fingerprint}, presented {presented}.\n"
        + Do.NEW_HOST_KEY.text(servers=server.name),
    )


def _log_in(transport: paramiko.Transport, server: Server, ssh: Ssh, key: paramiko.PKey) -> None:
    try:
        transport.auth_publickey(ssh.user, key)
    except paramiko.AuthenticationException:
        raise LoginRefused(
            f"{server.name} ({server.address}) rejects {ssh.user} with the given SSH key",
            f"The key's fingerprint is {fingerprint(key.asbytes())}; its public half must be in "
            f"{ssh.user}'s authorized_keys there.",
        ) from None
    except Exception as error:  # as above
        raise unreachable(server, f"contact broke during login: {error}") from None


def unreachable(server: Server, why: str) -> Unreachable:
    summary = f"cannot reach {server.name} at {server.address}:{server.port}: {why}"
    return Unreachable(summary[:MOST_CHARACTERS])  # it may quote the server
