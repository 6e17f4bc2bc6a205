"""A world in which things go wrong as a test says.

Why it exists: what the engine promises is about what it does when something breaks, at any moment.
If each test patched or subclassed the modelled world for that, a fault could be forgotten, miss its
moment after a rename, or differ from a neighbouring test's fault of the same name; and the model
would have switches that only tests use. So there is one place for faults. They are data
(`worlds.fault`), they go around any world behind the port, and one that never happened is an error:
a test that shows nothing does not pass.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from rpool.errors import RpoolError, Unreachable
from rpool.model.action import Action, AppendJournal, AwaitReady, NoteFailure, Prepare
from rpool.model.claim import Fence
from rpool.model.event import Event
from rpool.model.inspection import Inspected, Trial
from rpool.model.pool import PoolUid
from rpool.model.secret import Secret
from rpool.model.seen import ClusterSeen, EtcdMember, PackagesSeen, Probed, Requested, Working
from rpool.model.server import ServerName
from rpool.model.step import News
from rpool.model.world import SessionLock, World
from worlds.fault import (
    AFTER,
    BEFORE,
    INSTEAD,
    AddressAnswers,
    Answer,
    AskWorking,
    Break,
    Call,
    Encryption,
    EtcdMembers,
    Fault,
    Inspect,
    Lock,
    Look,
    Moment,
    Observe,
    Packages,
    Probe,
    ReachesApi,
    ReadJournal,
    ReadRequests,
    Sign,
)

T = TypeVar("T")


@dataclass(eq=False)
class _Armed:
    """A fault that is there now: how many calls matched it, and which of them it struck."""

    fault: Fault
    matched: int = 0
    struck: list[Call] = field(default_factory=list)

    def strikes(self, call: Call, moment: Moment) -> bool:
        if not self.fault.matches(call, moment):
            return False
        self.matched += 1
        since = self.matched - self.fault.first
        if since < 0 or (self.fault.times is not None and since >= self.fault.times):
            return False
        self.struck.append(call)
        return True


class FaultyWorld:
    """See `rpool.model.world.World`. Safe to call from several threads, if the world that it wraps
    is.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._armed: tuple[_Armed, ...] = ()
        self._guard = threading.Lock()
        self.acted: list[Action] = []  # all with an effect, answer lost or not; no notes
        self.held: set[tuple[ServerName, PoolUid]] = set()  # locks
        self.fired: Counter[str] = Counter()  # what happened so far, by `Fault.name`

    @contextmanager
    def faults(self, *faults: Fault) -> Iterator[list[list[Call]]]:
        """Makes the faults happen in the block, and ends them after it. Yields, for each of them,
        the calls that it struck so far. Fails for a `sure` one that struck none.
        """
        armed = tuple(map(_Armed, faults))
        with self._guard:
            self._armed += armed
        try:
            yield [one.struck for one in armed]
        finally:
            with self._guard:
                self._armed = tuple(one for one in self._armed if one not in armed)
            missing = [one.fault.name for one in armed if one.fault.sure and not one.struck]
            assert not missing, f"never happened: {', '.join(missing)}"

    # -- the port --------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        return self._world.at_once

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        return self._look(Probe(server, fence), lambda: self._world.probe(server, fence))

    def address_answers(self, server: ServerName, address: str) -> bool:
        look = AddressAnswers(server)
        return self._look(look, lambda: self._world.address_answers(server, address))

    def working(self, server: ServerName) -> Working | None:
        return self._look(AskWorking(server), lambda: self._world.working(server))

    def reaches_api(self, server: ServerName) -> bool:
        return self._look(ReachesApi(server), lambda: self._world.reaches_api(server))

    def kubernetes_packages(self, server: ServerName, minor: str) -> PackagesSeen:
        return self._look(Packages(server), lambda: self._world.kubernetes_packages(server, minor))

    def inspect(self, server: ServerName, trial: Trial) -> Inspected:
        return self._look(Inspect(server), lambda: self._world.inspect(server, trial))

    def observe(self, server: ServerName) -> ClusterSeen:
        return self._look(Observe(server), lambda: self._world.observe(server))

    def encryption(self, server: ServerName) -> Secret:
        return self._look(Encryption(server), lambda: self._world.encryption(server))

    def etcd_members(self, server: ServerName) -> tuple[EtcdMember, ...]:
        return self._look(EtcdMembers(server), lambda: self._world.etcd_members(server))

    def requested(self, server: ServerName) -> Mapping[ServerName, Requested]:
        return self._look(ReadRequests(server), lambda: self._world.requested(server))

    def journal(self, server: ServerName, most_lines: int) -> tuple[Event, ...]:
        return self._look(ReadJournal(server), lambda: self._world.journal(server, most_lines))

    def sign(self, server: ServerName, request: str, seconds: int) -> str:
        return self._look(Sign(server), lambda: self._world.sign(server, request, seconds))

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        news: News = ()
        if self._begin(action):
            news = self._world.carry_out(action, timeout_seconds)
            self._acted(action)
        self._end(action, None)
        return news

    def prepare(
        self,
        actions: Sequence[Prepare],
        timeout_seconds: float,
        done: Callable[[ServerName, RpoolError | None], None],
    ) -> None:
        by_server = {action.server: action for action in actions}

        def carried_out(server: ServerName, error: RpoolError | None) -> None:
            if error is None:
                self._acted(by_server[server])
                try:
                    self._end(by_server[server], None)
                except RpoolError as lost:
                    error = lost
            done(server, error)

        begun: list[Prepare] = []
        for action in actions:
            try:
                if self._begin(action):
                    begun.append(action)
                    continue
            except RpoolError as error:
                done(action.server, error)
            else:
                done(action.server, None)
        if begun:
            self._world.prepare(begun, timeout_seconds, carried_out)

    def lock(self, server: ServerName, uid: PoolUid) -> AbstractContextManager[SessionLock]:
        return self._lock(Lock(server, uid))

    def close(self) -> None:
        self._world.close()

    # -- what happens to them ----------------------------------------------------------------

    def _look(self, look: Look, answer: Callable[[], T]) -> T:
        self._begin(look)
        return self._end(look, answer())

    @contextmanager
    def _lock(self, lock: Lock) -> Iterator[SessionLock]:
        self._begin(lock)
        with self._world.lock(lock.server, lock.uid) as held:
            self._check_alive()
            self.held.add((lock.server, lock.uid))
            try:
                yield _Held(held.number, lambda: held.lost() or self._broke(Break.LOCKS_LOST))
            finally:
                self.held.discard((lock.server, lock.uid))
        self._end(lock, None)

    def _begin(self, call: Call) -> bool:
        """Whether the call is to have its effect: no fault happened instead of it."""
        self._check_alive()
        replaced = False
        for moment in (BEFORE, INSTEAD):
            for fault in self._strike(call, moment):
                _happen(fault, call)
                self._check_alive()
                replaced = moment is INSTEAD
        return not replaced

    def _end(self, call: Call, answer: T) -> T:
        self._check_alive()
        for fault in self._strike(call, AFTER):
            if isinstance(fault.does, Answer):
                answer = fault.does.change(answer)
            else:
                _happen(fault, call)
            self._check_alive()
        return answer

    def _strike(self, call: Call, moment: Moment) -> Iterator[Fault]:
        """Yields the faults that strike now, one by one: none strikes after one that raises."""
        for armed in self._armed:
            with self._guard:
                strikes = armed.strikes(call, moment)
                self.fired.update([armed.fault.name] * strikes)
            if strikes:
                yield armed.fault

    def _acted(self, action: Action) -> None:
        if not isinstance(action, AppendJournal | AwaitReady | NoteFailure):
            self.acted.append(action)

    def _check_alive(self) -> None:
        if self._broke(Break.KILLED):
            raise Unreachable("killed")

    def _broke(self, what: Break) -> bool:
        return any(armed.fault.does is what and armed.struck for armed in self._armed)


def _happen(fault: Fault, call: Call) -> None:
    """Not under a lock: it may wait."""
    if isinstance(fault.does, Exception):
        raise fault.does
    if callable(fault.does):
        fault.does(call)


@dataclass(frozen=True)
class _Held:
    number: int
    lost: Callable[[], bool]
