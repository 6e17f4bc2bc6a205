"""Who gets into a cluster, by which door, and with what: in the words of a kubeconfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a schema names what is here, and loads none of these
    from rpool.model.pool import PoolUid
    from rpool.model.secret import Secret
    from rpool.model.server import ServerName

ADMINS = "kubeadm:cluster-admins"
"""The group that kubeadm binds to cluster-admin. Its binding can be deleted, unlike what the API
server itself lets `system:masters` do."""

LONGEST_NAME = 64
"""Characters of a user or a group: what X.509 has room for."""

SHORTEST_SECONDS = 600
"""Kubernetes signs for no less."""

LONGEST_SECONDS = 24 * 3600
"""No certificate can be taken back, so that none of ours lives for longer."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A user as the cluster is to know it, and for how long."""

    user: str
    groups: tuple[str, ...]
    seconds: int


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a cluster's API answers its users, and the control plane that signs their certificates
    (`through`).
    """

    uid: PoolUid
    name: str
    through: ServerName
    host: str
    ca_certificate: str


@dataclass(frozen=True, slots=True)
class Credential:
    """A client certificate (PEM) and its key; it ends at `ends_seconds` since 1970."""

    certificate: str
    key: Secret
    ends_seconds: float
