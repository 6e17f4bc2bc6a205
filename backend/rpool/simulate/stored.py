"""The modelled site of a provider block: its servers are in a file between commands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rpool.model.action import Action, AppendJournal
from rpool.model.claim import Fence
from rpool.model.pool import PoolUid
from rpool.model.seen import Probed
from rpool.model.server import Fleet, ServerName
from rpool.model.step import News
from rpool.model.world import SessionLock
from rpool.simulate.machine import Machine
from rpool.simulate.store import Store
from rpool.simulate.world import SimulatedWorld

_JOURNAL_LINES = 100
"""A server keeps the last ones only: each action writes the file."""


class StoredWorld(SimulatedWorld):
    """The hardware is what is declared, its state what is in the file. A server that is not
    declared here may be another site's: it stays in the file, and is out of reach from here.
    """

    def __init__(self, fleet: Fleet, store: Store) -> None:
        super().__init__(fleet)
        self._store = store
        self._guard = _Guard(store, self._load)
        with self._guard:
            pass  # a file that cannot be used is an error now, not a server out of reach later

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        with self._guard:
            try:
                news = super().carry_out(action, timeout_seconds)
                if isinstance(action, AppendJournal):
                    del self.machines[action.server].journal[:-_JOURNAL_LINES]
                return news
            finally:
                self._store.save(self.machines)

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        with self._guard:
            probed = super().probe(server, fence)
            if fence is not None:
                self._store.save(self.machines)
            return probed

    @contextmanager
    def lock(self, server: ServerName, uid: PoolUid) -> Iterator[SessionLock]:
        with ExitStack() as stack:
            with self._guard:  # for both: the lock's number is the one that its last holder left
                lock = stack.enter_context(super().lock(server, uid))
                stack.enter_context(self._store.session(server, uid))
            try:
                yield lock
            finally:
                with self._guard:
                    stack.close()

    def close(self) -> None:
        self._store.close()

    def _load(self) -> None:
        if self._store.is_current():
            return
        kept = self._store.load() or {}
        self.machines = {name: Machine(server) for name, server in self.fleet.servers.items()}
        for name, machine in kept.items():
            if name in self.machines:
                machine.server = self.machines[name].server
            self.machines[name] = machine


class _Guard:
    """While it is held, no other thread or process works on the servers, and those in memory are as
    in the file. A thread may take it again.
    """

    def __init__(self, store: Store, load: Callable[[], None]) -> None:
        self._store = store
        self._load = load
        self._threads = threading.RLock()
        self._depth = 0
        self._alone = ExitStack()

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if self._depth == 0:
                with ExitStack() as stack:
                    stack.enter_context(self._store.alone())
                    self._load()
                    self._alone = stack.pop_all()
            self._depth += 1
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        try:
            if self._depth == 0:
                self._alone.close()
        finally:
            self._threads.release()
