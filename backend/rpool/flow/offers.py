"""What a read finds for the next plan: spares that were probed, and servers known to be taken.

A plan asks no server; it picks from what the read before it found. The number of probes is bounded,
so that a refresh costs the same on any fleet. All clusters that one process reads share them: what
one cluster was offered is offered to another one last.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType

from rpool.decide.placement import candidates
from rpool.decide.preflight import why_not_usable
from rpool.decide.target import Offer
from rpool.errors import RpoolError
from rpool.flow.look import sweep
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Server, ServerName
from rpool.model.world import World

AT_ONCE = 8
ENOUGH = 4
MOST = 24
"""Servers are looked at eight at once, until four spares are found, and 24 at most: each costs an
SSH connection, about 50 ms of one core."""

PATIENCE_SECONDS = 3.0
"""Since the last answer: a busy machine makes all of them slow, a dead server only itself."""


class Offers:
    """The offers that one process has made. Safe to use from several threads."""

    def __init__(self, fleet: Fleet, world: World) -> None:
        self._fleet = fleet
        self._world = world
        self._lock = threading.Lock()
        self._given: dict[ServerName, PoolUid] = {}
        self._asked: dict[ServerName, Future[str | None]] = {}

    def make(
        self,
        uid: PoolUid,
        spec: PoolSpec,
        members: Iterable[ServerName],
        last_taken: Iterable[ServerName] = (),
        in_use: Mapping[ServerName, str] = MappingProxyType({}),
    ) -> Offer:
        """The offer for a cluster whose last request was `spec`.

        Half of the spares of a size are given to this cluster, so that the next one finds some that
        no other takes first. What was taken at the read before (`last_taken`) is probed last, so
        that on a full fleet every read learns something. `in_use`: servers that are known to be
        taken, and by whom; they are not probed.
        """
        late, members = frozenset(last_taken), frozenset(members)
        open_ = varied(candidates(self._fleet, spec, {*members, *in_use}), uid)
        order = sorted(open_, key=lambda server: server.name in late)
        found: dict[ServerName, str | None] = {}
        verified: list[Server] = []
        for start in range(0, MOST, AT_ONCE):
            if len(verified) >= ENOUGH:
                break
            batch = order[start : start + AT_ONCE]
            found |= self._look(batch)
            verified += [server for server in batch if found[server.name] is None]
        # Another request may want what this one's selector leaves out.
        beyond = sorted(late & self._fleet.servers.keys() - found.keys() - {*members, *in_use})
        found |= self._look(self._fleet.servers[name] for name in beyond[:AT_ONCE])
        with self._lock:
            found = {n: f.result() for n, f in self._asked.items() if f.done()} | found
            mine = self._give(uid, verified)
            return Offer(
                verified=frozenset(server.name for server in verified),
                given=mine,
                taken={**{n: why for n, why in found.items() if why is not None}, **in_use},
                elsewhere=frozenset(n for n, to in self._given.items() if to != uid),
            )

    def _give(self, uid: PoolUid, verified: Iterable[Server]) -> frozenset[ServerName]:
        free = [server for server in verified if self._given.get(server.name, uid) == uid]
        alike = _by_size(free).values()
        mine = frozenset(s.name for size in alike for s in size[: -(-len(size) // 2)])
        self._given |= dict.fromkeys(mine, uid)
        return mine

    def _look(self, servers: Iterable[Server]) -> dict[ServerName, str | None]:
        """Why each cannot be taken, or None for a spare. Each is probed once, whichever cluster is
        read. One that is slow to answer is not waited for, and cannot be taken this time.
        """
        with self._lock:
            asked = {server.name: self._ask(server) for server in servers}
        done = silent = set(asked.values())
        while done and silent:
            done, silent = wait(silent, PATIENCE_SECONDS, FIRST_COMPLETED)
        late = f"no answer within {PATIENCE_SECONDS:.0f} s"
        return {name: late if its in silent else its.result() for name, its in asked.items()}

    def _ask(self, server: Server) -> Future[str | None]:
        if server.name not in self._asked:
            pool = ThreadPoolExecutor(1, thread_name_prefix="offer")
            self._asked[server.name] = pool.submit(self._why_not, server)
            pool.shutdown(wait=False)
        return self._asked[server.name]

    def _why_not(self, server: Server) -> str | None:
        try:
            probed = self._world.probe(server.name)
        except RpoolError as error:
            return error.summary
        return why_not_usable(server, probed)


def varied(servers: Iterable[Server], uid: PoolUid) -> list[Server]:
    """The servers, one of each size in turn, since the next request is not known. Like servers come
    by a hash of cluster and server, so that two clusters begin at different ends.
    """

    def digest(server: Server) -> str:
        return hashlib.sha256(f"{uid}/{server.name}".encode()).hexdigest()

    sizes = _by_size(sorted(servers, key=digest))
    turns = zip_longest(*(sizes[size] for size in sorted(sizes)))
    return [server for turn in turns for server in turn if server is not None]


def _by_size(servers: Iterable[Server]) -> dict[tuple[int, int], list[Server]]:
    sizes: dict[tuple[int, int], list[Server]] = {}
    for server in servers:
        sizes.setdefault((server.cores, server.memory_gib), []).append(server)
    return sizes


@dataclass(frozen=True, slots=True)
class Surveyed:
    """`probed` is None without contact; `why_no_spare` is None for a spare."""

    probed: Probed | None
    why_no_spare: str | None


def survey(world: World, fleet: Fleet) -> dict[ServerName, Surveyed]:
    """All servers; one that is out of reach, or silent for 3 s, is data and not an error."""
    found: dict[ServerName, Surveyed] = {}
    for name, answer in sweep(world, sorted(fleet.servers), PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            found[name] = Surveyed(None, answer.summary)
        else:
            found[name] = Surveyed(answer, why_not_usable(fleet.servers[name], answer))
    return found
