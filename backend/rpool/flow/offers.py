"""What a read finds for the next plan: spares that were looked at, and servers known to be taken.

A plan asks no server; it picks from what the read before it found. The looking is bounded, so that
a refresh costs the same on any fleet, and shared by the pools that one process reads: what one pool
was offered another one is offered last.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from rpool.decide.placement import candidates
from rpool.decide.preflight import why_not_spare, why_too_small
from rpool.decide.target import Offer
from rpool.errors import RpoolError
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.server import Fleet, Server, ServerName
from rpool.model.world import World

AT_ONCE = 8
ENOUGH = 4
MOST = 24
"""Servers are looked at eight at once, until four spares are found, and 24 at most: each costs an
SSH connection, about 50 ms of one core."""

PATIENCE_SECONDS = 3.0


class Offers:
    """The offers that one process has made. Safe to use from several threads."""

    def __init__(self, fleet: Fleet, world: World) -> None:
        self._fleet = fleet
        self._world = world
        self._lock = threading.Lock()
        self._given: dict[ServerName, PoolUid] = {}
        self._known: dict[ServerName, str | None] = {}

    def make(
        self,
        uid: PoolUid,
        spec: PoolSpec,
        members: Iterable[ServerName],
        last_taken: Iterable[ServerName] = (),
    ) -> Offer:
        """The offer for a pool whose last request was `spec`. One pool gets at most half of what is
        free, so that the next one finds something, too. What was taken at the read before this one
        (`last_taken`) is looked at last, so that on a full fleet every read learns something.
        """
        with self._lock:
            others = frozenset(name for name, to in self._given.items() if to != uid)
        open_ = candidates(self._fleet, spec, [*members, *others])
        late = frozenset(last_taken)
        order = sorted(varied(open_, uid), key=lambda server: server.name in late)
        allowed = -(-len(open_) // 2)
        verified: list[ServerName] = []
        for start in range(0, MOST, AT_ONCE):
            if len(verified) >= min(ENOUGH, allowed):
                break
            found = self._look(order[start : start + AT_ONCE])
            verified += self._give(uid, [n for n, why in found.items() if why is None], allowed)
        taken = {name: why for name, why in self._known.items() if why is not None}
        return Offer(tuple(verified), taken, others)

    def _give(self, uid: PoolUid, spares: Iterable[ServerName], allowed: int) -> list[ServerName]:
        """Those of the spares that no other pool was given in the meantime."""
        with self._lock:
            mine = [name for name in spares if self._given.get(name, uid) == uid]
            given = [name for name in mine if name in self._given]
            room = max(0, allowed - sum(to == uid for to in self._given.values()))
            given += [name for name in mine if name not in self._given][:room]
            self._given |= dict.fromkeys(given, uid)
            return given

    def _look(self, servers: Iterable[Server]) -> dict[ServerName, str | None]:
        """Why each can't be had, or None for a spare. Whoever is slow to answer is not waited for,
        and not found out about.
        """
        unknown = [server for server in servers if server.name not in self._known]
        if unknown:
            pool = ThreadPoolExecutor(len(unknown), thread_name_prefix="offer")
            futures = {pool.submit(self._why_not, server): server.name for server in unknown}
            answered, silent = wait(futures, timeout=PATIENCE_SECONDS)
            pool.shutdown(wait=False, cancel_futures=True)
            with self._lock:
                self._known |= {futures[future]: future.result() for future in answered}
                late = f"no answer within {PATIENCE_SECONDS:.0f} s"
                self._known |= {futures[future]: late for future in silent}
        return {server.name: self._known[server.name] for server in servers}

    def _why_not(self, server: Server) -> str | None:
        try:
            probed = self._world.probe(server.name)
        except RpoolError as error:
            return error.summary
        return why_not_spare(probed) or why_too_small(server, probed)


def varied(servers: Iterable[Server], uid: PoolUid) -> list[Server]:
    """The servers with sizes by turns, since the next request is not known; like ones by a hash of
    pool and server, so that two pools begin at different ends.
    """
    sizes: dict[tuple[int, int], list[Server]] = {}
    for server in sorted(servers, key=lambda s: _hash(uid, s.name)):
        sizes.setdefault((server.cores, server.memory_gib), []).append(server)
    turns: dict[int, list[Server]] = {}
    for size in sorted(sizes):
        for turn, server in enumerate(sizes[size]):
            turns.setdefault(turn, []).append(server)
    return [server for turn in sorted(turns) for server in turns[turn]]


def _hash(uid: PoolUid, name: ServerName) -> str:
    return hashlib.sha256(f"{uid}/{name}".encode()).hexdigest()
