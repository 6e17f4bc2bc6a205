"""The pool's session lock, held on several control planes at once: two operations on one pool
exclude each other as long as each holds a majority.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from rpool.decide.quorum import majority
from rpool.errors import Refused, RpoolError, Unreachable
from rpool.flow.execute import as_rpool_error
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.model.world import SessionLock, World


@dataclass(frozen=True, slots=True)
class Held:
    """Locks on single servers; lost when fewer than `needed` are left."""

    locks: tuple[SessionLock, ...]
    needed: int

    def lost(self) -> bool:
        return sum(not lock.lost() for lock in self.locks) < self.needed


@contextmanager
def session(
    world: World, uid: PoolUid, control_planes: Sequence[ServerName], needed: int | None = None
) -> Iterator[Held]:
    """Hold the lock on every control plane that can give it, and on `needed` (a majority) at least;
    fewer is for taking down a pool that may be half dead already.

    Raises Refused when another operation has it anywhere, Unreachable when too few can be reached.
    """
    if needed is None:
        needed = majority(len(control_planes))
    with ExitStack() as stack:
        locks, errors = _take(stack, world, uid, control_planes)
        for error in errors:
            if isinstance(error, Refused):
                raise error
        if len(locks) < needed:
            reasons = "\n".join(f"  {error.summary}" for error in errors)
            raise Unreachable(
                f"the session lock of pool {uid} was had on {len(locks)} of {len(control_planes)} "
                f"control planes; {needed} are needed",
                f"Nothing was changed.\n{reasons}",
            )
        yield Held(tuple(locks), max(needed, min(1, len(locks))))


def _take(
    stack: ExitStack, world: World, uid: PoolUid, servers: Sequence[ServerName]
) -> tuple[list[SessionLock], list[RpoolError]]:
    """All at once, so that a dead control plane costs nothing but its own time."""
    if not servers:
        return [], []

    def enter(server: ServerName) -> AbstractContextManager[SessionLock] | RpoolError:
        manager = world.lock(server, uid)
        try:
            entered[server] = manager.__enter__()
        except Exception as error:  # whatever it is, the locks that others took are given back
            return as_rpool_error(error, f"taking the lock of pool {uid}")
        return manager

    entered: dict[ServerName, SessionLock] = {}
    errors = []
    with ThreadPoolExecutor(len(servers), thread_name_prefix="lock") as pool:
        for result in pool.map(enter, servers):
            if isinstance(result, RpoolError):
                errors.append(result)
            else:
                stack.push(result.__exit__)
    return list(entered.values()), errors
