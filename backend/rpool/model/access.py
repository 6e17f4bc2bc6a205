"""Users of a cluster, its API, and their credentials, in the words of a kubeconfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a schema imports this module, and must not load these
    from rpool.model.pool import PoolUid
    from rpool.model.secret import Secret
    from rpool.model.server import ServerName

ADMINS = "kubeadm:cluster-admins"
"""The group that kubeadm binds to cluster-admin. Its binding can be deleted, unlike what the API
server itself lets `system:masters` do."""

LONGEST_NAME = 64
"""Characters of a user or group name: the limit of X.509."""

SHORTEST_SECONDS = 600
"""The shortest lifetime that Kubernetes signs."""

LONGEST_SECONDS = 24 * 3600
"""No certificate can be revoked, so none of ours lives longer."""


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
