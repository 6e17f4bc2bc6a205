"""The one port behind which all effects sit: real servers (`reach`) or modelled ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from rpool.errors import RpoolError
from rpool.model.action import Action, Prepare
from rpool.model.claim import Fence
from rpool.model.event import Event
from rpool.model.inspection import Inspected, Trial
from rpool.model.pool import PoolUid
from rpool.model.secret import Secret
from rpool.model.seen import ClusterSeen, EtcdMember, PackagesSeen, Probed, Requested, Working
from rpool.model.server import ServerName
from rpool.model.step import News


class SessionLock(Protocol):
    """A held session lock. `lost()` becomes true for good once the server may have freed it."""

    def lost(self) -> bool: ...

    @property
    def number(self) -> int:
        """The highest session number on the server when the lock was taken; 0: none."""


class Probing(Protocol):
    """A world that can probe servers."""

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        """Probe a server. Raises Unreachable.

        With a fence, it waits for what still works on the server, and leaves the session's number
        there before it probes: no action of an earlier session changes what was seen. Needs no
        claim on the server. Raises Overtaken when a later session has been there, and Unreachable
        also when the server is busy for too long.
        """


class World(Probing, Protocol):
    """A site's servers, by name. Safe to call from several threads at once."""

    @property
    def at_once(self) -> int:
        """How many actions may run at once."""

    def working(self, server: ServerName) -> Working | None:
        """What a fence on a server would wait for; None for nothing. Raises Unreachable."""

    def address_answers(self, server: ServerName, address: str) -> bool:
        """Whether anything answers ARP for `address` on the network of server `server`."""

    def reaches_api(self, server: ServerName) -> bool:
        """Whether the API of the cluster that `server` joined answers it. Raises Unreachable."""

    def kubernetes_packages(self, server: ServerName, minor: str) -> PackagesSeen:
        """What `server` could install of Kubernetes `minor` (1.36). Raises Unreachable."""

    def inspect(self, server: ServerName, trial: Trial) -> Inspected:
        """Inspect whether a server can do its part, before it is claimed. All servers of one trial
        must be asked at once: each waits for the others. Raises Unreachable, CommandFailed.
        """

    def observe(self, server: ServerName) -> ClusterSeen:
        """Observe the cluster through control plane `server`. Raises Unreachable, CommandFailed."""

    def encryption(self, server: ServerName) -> Secret:
        """The EncryptionConfiguration of control plane `server`, which all others need, too. Empty
        where the cluster has none. Raises Unreachable, CommandFailed.
        """

    def etcd_members(self, server: ServerName) -> tuple[EtcdMember, ...]:
        """The members of etcd by control plane `server`. Raises Unreachable, CommandFailed."""

    def requested(self, server: ServerName) -> Mapping[ServerName, Requested]:
        """What pods request of each node, seen from control plane `server`; a node without pods is
        left out. Raises Unreachable, CommandFailed.
        """

    def journal(self, server: ServerName, most_lines: int) -> tuple[Event, ...]:
        """The last lines of the journal that a control plane keeps of its cluster; none on any
        other server. Raises Unreachable.
        """

    def sign(self, server: ServerName, request: str, seconds: int) -> str:
        """A client certificate (PEM) that the cluster of control plane `server` has signed for a
        `request` (PEM), valid for `seconds`. Raises Unreachable, CommandFailed.
        """

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        """Carry out one action (not Prepare); returns its news. Raises the RpoolErrors of
        `rpool.errors`.
        """

    def prepare(
        self,
        actions: Sequence[Prepare],
        timeout_seconds: float,
        done: Callable[[ServerName, RpoolError | None], None],
    ) -> None:
        """Prepare servers together; calls `done` once for each as soon as it is ready or failed."""

    def lock(self, server: ServerName, uid: PoolUid) -> AbstractContextManager[SessionLock]:
        """Hold the cluster's session lock on a server. Raises Refused when another holds it."""

    def close(self) -> None:
        """End all connections."""
