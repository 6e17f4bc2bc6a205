"""Who works on a pool, and what it draws for one operation."""

from __future__ import annotations

import getpass
import secrets
import socket
import threading
from dataclasses import replace

from rpool.certificates import ca_pin
from rpool.model.action import Join, JoinSecrets
from rpool.model.secret import Secret
from rpool.model.server import ServerName
from rpool.model.world import World

TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"  # noqa: S105 an alphabet, not a password


def owner() -> str:
    """Who works here, for people: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no passwd entry, as in a container of some CI
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def change_id() -> str:
    """Of one change of one pool: no other has it."""
    return secrets.token_hex(8)


def join_secrets() -> JoinSecrets:
    """A bootstrap token in kubeadm's form, and the AES-256 key of its uploaded certificates."""
    token = "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(22))
    return JoinSecrets(Secret(f"{token[:6]}.{token[6:]}"), Secret(secrets.token_hex(32)))


class CaPin:
    """Fills the CA's pin into joins. Where the CA is not `known`, it exists only once the first
    control plane is up.
    """

    def __init__(self, world: World, known: str | None = None) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._pin = None if known is None else ca_pin(known)

    def bind(self, join: Join) -> Join:
        return replace(join, secrets=replace(join.secrets, ca_pin=self._of(join.via)))

    def _of(self, via: ServerName) -> str:
        with self._lock:
            if self._pin is None:
                self._pin = ca_pin(self._world.observe(via).ca_certificate)
            return self._pin
