"""The pool's session lock, held on several control planes at once: two operations on one pool
exclude each other as long as each holds a majority.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

from rpool.decide.quorum import majority
from rpool.errors import ForeignClaim, Overtaken, Refused, RpoolError, Unreachable
from rpool.flow.execute import as_rpool_error
from rpool.flow.probe import Silent, probe_all
from rpool.model.claim import Fence
from rpool.model.observed import Sighting
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.model.world import SessionLock, World


class Held:
    """Locks on single control planes; lost for good once fewer are left than a majority of the
    pool's, or none where one will do. Which those are may change. Safe to use from several threads.
    """

    def __init__(self, world: World, uid: PoolUid, stack: ExitStack) -> None:
        self._world = world
        self._uid = uid
        self._stack = stack
        self._needed = 0
        self._highest = 0
        self._acts = False
        self._over = False
        self._guard = threading.Lock()
        self._asked: set[ServerName] = set()
        self._heads: frozenset[ServerName] = frozenset()
        self._locks: dict[ServerName, SessionLock] = {}

    @property
    def session(self) -> int:
        """This session's number: above that of every session before it. What this one does on a
        server ends what an earlier one still tries there (see `model.claim.Fence`).
        """
        with self._guard:
            return 1 + max([self._highest, *(its.number for its in self._locks.values())])

    def outrank(self, number: int) -> None:
        """Be above a session that the record names. Once this one acts, that is its own."""
        with self._guard:
            if not self._acts:
                self._highest = max(self._highest, number)

    def begins_to_act(self) -> None:
        with self._guard:
            self._acts = True

    def look(self, servers: Iterable[ServerName]) -> tuple[dict[ServerName, Sighting], Silent]:
        """Probe servers behind this session's fence. A higher number than ours that turns up while
        the lock is ours is that of an earlier session, which the control planes have forgotten (a
        reboot): ours goes above it. Raises Overtaken where the lock is not ours any more.
        """
        names = list(servers)
        while True:
            try:
                return probe_all(self._world, names, fence=Fence(self._uid, self.session))
            except Overtaken as error:
                if self.lost() or error.session < self.session:
                    raise
                with self._guard:
                    self._highest = max(self._highest, error.session)

    def lost(self) -> bool:
        with self._guard:
            return self._is_lost()

    def _is_lost(self) -> bool:
        self._over = self._over or self._alive() < self._needed
        return self._over

    def cover(self, control_planes: Iterable[ServerName], *, one_will_do: bool = False) -> bool:
        """Hold it on these from now on, of which each is asked once; whether it was got anywhere
        that it was not before. `one_will_do`, or none, to take down what may be half dead already.

        Raises Refused when another operation has it anywhere, Unreachable when too few can be had.
        """
        heads = frozenset(control_planes)
        with self._guard:
            new = sorted(heads - self._asked)
            self._asked |= heads
        locks, errors = _take(self._stack, self._world, self._uid, new)
        for error in errors.values():
            if isinstance(error, Refused) and not isinstance(error, ForeignClaim):
                raise error
        with self._guard:
            self._heads = heads
            self._locks |= locks
            self._needed = min(1, len(self._locks)) if one_will_do else majority(len(heads))
            if self._alive() < self._needed:
                raise self._too_few(errors.values())
        return bool(locks)

    def add(self, control_plane: ServerName) -> None:
        """Lock one more, which counts from now on. Raises what keeps it from that."""
        for error in self.add_all([control_plane]).values():
            raise error

    def add_all(self, control_planes: Iterable[ServerName]) -> dict[ServerName, RpoolError]:
        """Lock more, which count from now on. Returns those that cannot be locked, and why."""
        wanted = frozenset(control_planes)
        with self._guard:
            new = sorted(wanted - self._locks.keys())
            self._asked |= wanted
        locks, errors = _take(self._stack, self._world, self._uid, new)
        with self._guard:
            self._locks |= locks
            self._heads |= wanted - errors.keys()
            if new:
                self._needed = min(majority(len(self._heads)), self._alive())
        return errors

    def drop(self, server: ServerName) -> None:
        """A server that is let go does not count any more. Fewer are needed then if need be: those
        that are silent were so before, and to let one go loses nothing.
        """
        with self._guard:
            if not self._is_lost():
                self._heads -= {server}
                self._needed = min(self._needed, majority(len(self._heads)), self._alive())

    def _alive(self) -> int:
        return sum(1 for n in self._heads if n in self._locks and not self._locks[n].lost())

    def _too_few(self, errors: Iterable[RpoolError]) -> Unreachable:
        reasons = "\n".join(f"  {error.summary}" for error in errors)
        return Unreachable(
            f"the session lock of pool {self._uid} was had on {self._alive()} of "
            f"{len(self._heads)} control planes; {self._needed} are needed",
            f"Nothing was changed.\n{reasons}",
        )


@contextmanager
def session(world: World, uid: PoolUid, control_planes: Iterable[ServerName]) -> Iterator[Held]:
    """Hold the lock on every one of the known control planes that can give it. Whether these are
    the pool's, and so how many it takes, shows only then: see `Held.cover`.

    Raises Refused when another operation has it anywhere.
    """
    with ExitStack() as stack:
        held = Held(world, uid, stack)
        held.cover(control_planes, one_will_do=True)
        yield held


def _take(
    stack: ExitStack, world: World, uid: PoolUid, servers: Sequence[ServerName]
) -> tuple[dict[ServerName, SessionLock], dict[ServerName, RpoolError]]:
    """All at once, so that a dead control plane costs nothing but its own time. Returns the locks,
    and why each of the others could not be had.
    """
    if not servers:
        return {}, {}

    def enter(server: ServerName) -> AbstractContextManager[SessionLock] | RpoolError:
        try:
            manager = world.lock(server, uid)
            entered[server] = manager.__enter__()
        except Exception as error:  # whatever it is, the locks that others took are given back
            return as_rpool_error(error, f"taking the lock of pool {uid}")
        return manager

    entered: dict[ServerName, SessionLock] = {}
    errors: dict[ServerName, RpoolError] = {}
    with ThreadPoolExecutor(len(servers), thread_name_prefix="lock") as pool:
        for server, result in zip(servers, pool.map(enter, servers), strict=True):
            if isinstance(result, RpoolError):
                errors[server] = result
            else:
                stack.push(result.__exit__)
    return entered, errors
