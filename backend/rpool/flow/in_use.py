"""Which servers the clusters of one process have, and which they are about to take."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from rpool.advice import Do
from rpool.attempt import Attempt
from rpool.errors import Interrupted, TimedOut
from rpool.flow.turns import Turns
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.server import ServerName
from rpool.model.view import PoolView


class InUse:
    """What is known without a look. Safe to use from several threads. Nothing is refused by it:
    claims on the servers decide.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: dict[PoolUid, PoolView] = {}
        self._reserved: dict[ServerName, str] = {}  # for the cluster of that name
        self._busy: dict[PoolUid, threading.Lock] = {}
        # What clusters are changed to in this process, by name.
        self.will_be: dict[str, PoolSpec] = {}
        # The own servers that plans of this process leave clusters.
        self.own: dict[PoolUid, Collection[ServerName]] = {}
        # Of clusters that are planned side by side and are to choose servers.
        self.turns = Turns()

    def see(self, view: PoolView) -> PoolView:
        """Note a cluster as it is now."""
        with self._lock:
            self._views[view.uid] = view
        return view

    def forget(self, uid: PoolUid) -> None:
        """Note that a cluster has nothing any more."""
        with self._lock:
            self._views.pop(uid, None)

    def view(self, uid: PoolUid) -> PoolView | None:
        """The cluster as it was seen last, if it was."""
        with self._lock:
            return self._views.get(uid)

    @contextmanager
    def alone(self, uid: PoolUid, attempt: Attempt) -> Iterator[None]:
        """Operations of this process on one cluster wait for each other, since its session lock is
        one; not longer than they may take, and not when they are asked to stop.
        """
        with self._lock:
            busy = self._busy.setdefault(uid, threading.Lock())
        deadline = time.monotonic() + attempt.timeout_seconds
        while not busy.acquire(timeout=0.2):
            if attempt.stop.is_set():
                raise Interrupted("stopped on request", "It was waiting for its turn.")
            if time.monotonic() >= deadline:
                raise TimedOut("another operation took all of the time", Do.RAISE_TIMEOUT.text())
        try:
            yield
        finally:
            busy.release()

    def not_left_to(self, cluster: str) -> dict[ServerName, str]:
        """Servers that clusters of another name have, or are about to take, and which one."""
        with self._lock:
            others = [view for view in self._views.values() if view.name != cluster]
            reserved = {n: its for n, its in self._reserved.items() if its != cluster}
        taken = {n: f"cluster {its} is to get it" for n, its in reserved.items()}
        return taken | {n: f"in cluster {its.name}" for its in others for n in its.servers}

    def reserve(
        self, cluster: str, servers: Collection[ServerName], kept: Collection[ServerName] = ()
    ) -> bool:
        """Reserve these servers, and no others, for a cluster. False, and nothing is changed, when
        some are another's, but for those that it has already (`kept`).
        """
        with self._lock:
            new = [name for name in servers if name not in kept]
            if any(self._reserved.get(name, cluster) != cluster for name in new):
                return False
            self._reserve(cluster, servers)
            return True

    def insist(self, cluster: str, servers: Collection[ServerName]) -> dict[ServerName, str]:
        """Reserve these servers, whoever has them: a plan names them, and nothing else will do.
        Those that the change of another cluster insists on, too, and which cluster it is.
        """
        with self._lock:
            had = {name: self._reserved.get(name, cluster) for name in servers}
            self._reserve(cluster, servers)
            return {n: its for n, its in had.items() if its != cluster and its in self.will_be}

    def release(self, cluster: str) -> None:
        """Reserve nothing any more for a cluster."""
        self.insist(cluster, ())

    def _reserve(self, cluster: str, servers: Collection[ServerName]) -> None:
        kept = {name: its for name, its in self._reserved.items() if its != cluster}
        self._reserved = kept | dict.fromkeys(servers, cluster)
