"""Who operates, and what an operation draws when it is carried out: secrets and the CA's pin."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime

from rpool.certificates import ca_pin
from rpool.model.action import Action, AdmitJoiners, Init, Join, JoinSecrets, RevokeJoiners
from rpool.model.desired import Operation
from rpool.model.secret import Secret
from rpool.model.server import ServerName
from rpool.model.world import World

TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"  # noqa: S105 an alphabet, not a password


def default_owner() -> str:
    """The HCP Terraform workspace of this run, or else `user@host`."""
    if workspace := os.environ.get("TFC_WORKSPACE_SLUG"):
        return workspace
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no passwd entry, as in a container of some CI
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def operation(owner: str) -> Operation:
    """A new operation, with an id that no other has."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Operation(secrets.token_hex(8), owner or default_owner(), since)


def join_secrets() -> JoinSecrets:
    """A bootstrap token in kubeadm's form, and the AES-256 key of its uploaded certificates."""
    token = "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(22))
    return JoinSecrets(Secret(f"{token[:6]}.{token[6:]}"), Secret(secrets.token_hex(32)))


class Admission:
    """Fills the secrets of one operation into its actions. They are drawn here and nowhere else, so
    that no plan has any. The CA's pin is read from the cluster once that serves.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._secrets = join_secrets()
        self._ca: str | None = None

    def know(self, ca_certificate: str) -> None:
        """Sets the CA that joining servers must see, where the cluster shows it already."""
        with self._lock:
            self._ca = ca_certificate

    def bind(self, action: Action) -> Action:
        match action:
            case Init() | AdmitJoiners() | RevokeJoiners():
                return replace(action, secrets=self._secrets)
            case Join():
                pinned = replace(self._secrets, ca_pin=ca_pin(self.certificate(action.via)))
                return replace(action, secrets=pinned)
            case _:
                return action

    def certificate(self, via: ServerName) -> str:
        """The cluster's CA (PEM), looked up once. Raises as `World.observe`."""
        with self._lock:
            if self._ca is None:
                self._ca = self._world.observe(via).ca_certificate
            return self._ca
