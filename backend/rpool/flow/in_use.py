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
    """What is known without asking a server. Safe to use from several threads. It refuses nothing:
    claims on the servers decide.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: dict[PoolUid, PoolView] = {}
        self._reserved: dict[ServerName, str] = {}  # for the cluster of that name
        self._busy: dict[PoolUid, threading.Lock] = {}
        # What clusters are changed to in this process, by name.
        self.will_be: dict[str, PoolSpec] = {}
        # The own servers that plans of this process leave to each cluster.
        self.own: dict[PoolUid, Collection[ServerName]] = {}
        # Turns of clusters that are planned side by side and choose servers.
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
        """The cluster as it was last observed, if it was."""
        with self._lock:
            return self._views.get(uid)

    @contextmanager
    def alone(self, uid: PoolUid, attempt: Attempt) -> Iterator[None]:
        """Wait for other operations of this process on the cluster, since its session lock is one.
        Raises TimedOut once the attempt's time is up, Interrupted when asked to stop.
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
        """Servers that clusters of another name have or are about to take, and which cluster."""
        with self._lock:
            others = [view for view in self._views.values() if view.name != cluster]
            reserved = {n: other for n, other in self._reserved.items() if other != cluster}
        taken = {n: f"cluster {other} is to get it" for n, other in reserved.items()}
        return taken | {n: f"in cluster {view.name}" for view in others for n in view.servers}

    def reserve(
        self, cluster: str, servers: Collection[ServerName], kept: Collection[ServerName] = ()
    ) -> bool:
        """Reserve these servers, and no others, for a cluster. Returns False and changes nothing
        when some are reserved for another, except for `kept` ones, which it has already.
        """
        with self._lock:
            new = [name for name in servers if name not in kept]
            if any(self._reserved.get(name, cluster) != cluster for name in new):
                return False
            self._reserve(cluster, servers)
            return True

    def insist(self, cluster: str, servers: Collection[ServerName]) -> dict[ServerName, str]:
        """Reserve these servers, whichever cluster has them: a plan names them, and no others will
        do. Returns those that the change of another cluster insists on, too, and which one it is.
        """
        with self._lock:
            reserved_for = {name: self._reserved.get(name, cluster) for name in servers}
            self._reserve(cluster, servers)
            return {
                n: other
                for n, other in reserved_for.items()
                if other != cluster and other in self.will_be
            }

    def release(self, cluster: str) -> None:
        """Drop all reservations of a cluster."""
        self.insist(cluster, ())

    def _reserve(self, cluster: str, servers: Collection[ServerName]) -> None:
        kept = {name: other for name, other in self._reserved.items() if other != cluster}
        self._reserved = kept | dict.fromkeys(servers, cluster)
