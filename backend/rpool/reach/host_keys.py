"""The host key that a server presents, before anyone has confirmed that it is the right one.

Only the beginning of a handshake is sent. Whether the key is trusted is a person's decision, or
that of a known_hosts file that a person made.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko

from rpool.config.keys import HOST_KEY_TYPES
from rpool.errors import Problem, Refused, SpecError
from rpool.model.server import Server
from rpool.reach.connection import CIPHERS, MACS, transport_to, unreachable
from rpool.reach.keys import fingerprint

PATIENCE_SECONDS = 10.0
_RSA = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True, slots=True)
class Presented:
    """`text` is `type base64`, as an entry of the fleet has it."""

    text: str
    fingerprint: str


def presented(server: Server) -> Presented:
    """The key that a server presents, of its best type. Raises Unreachable."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    transport = transport_to(server, deadline)
    try:
        options = transport.get_security_options()
        options.ciphers, options.digests = CIPHERS, MACS
        options.key_types = (*(kind for kind in HOST_KEY_TYPES if kind != "ssh-rsa"), *_RSA)
        transport.start_client(timeout=PATIENCE_SECONDS)
        key = transport.get_remote_server_key()
    except Exception as error:  # paramiko raises whatever its thread met: a peer may send anything
        reason = str(error) or "it closed the connection"
        raise unreachable(server, f"no SSH there: {reason}") from None
    finally:
        transport.close()
    return Presented(f"{key.get_name()} {key.get_base64()}", fingerprint(key.asbytes()))


class KnownHosts:
    """The keys in a known_hosts file; none where there is no such file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = paramiko.HostKeys()
        self._revoked: set[str] = set()
        try:
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        except OSError as error:
            summary = f"{path} cannot be read: {error.strerror}"
            raise SpecError([Problem((), summary)]) from error
        for line in lines:
            self._read(line.strip())

    def _read(self, line: str) -> None:
        """Adds the keys of a line. A line that cannot be read is skipped, as by ssh; so is a CA."""
        if line.startswith("@revoked "):
            self._revoked.update(line.split()[3:4])
        elif line and line[0] not in "#@":
            with suppress(paramiko.hostkeys.InvalidHostKey, paramiko.SSHException, ValueError):
                if entry := paramiko.hostkeys.HostKeyEntry.from_line(line):
                    for name in entry.hostnames or ():
                        self._keys.add(name, entry.key.get_name(), entry.key)

    def has(self, server: Server, key: Presented) -> bool:
        """Whether the key is known as the server's. Raises Refused where a different one is."""
        name = server.address if server.port == 22 else f"[{server.address}]:{server.port}"
        kind, text = key.text.split()
        if text in self._revoked:
            summary = f"{server.address} presents a host key that {self._path} has revoked"
            raise Refused(summary, f"It is {key.fingerprint}.")
        keys = self._keys.lookup(name)
        if keys is None or (known := keys.get(kind)) is None:
            return False
        if known.get_base64() != text:
            raise Refused(
                f"{server.address} presents another host key than {self._path} has",
                f"It presents {key.fingerprint}. If it was reinstalled, remove the old key: "
                f"ssh-keygen -R '{name}' -f {self._path}. If not, another machine answers there.",
            )
        return True
