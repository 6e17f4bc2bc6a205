"""What a read finds for the next plan: spares that were probed, and servers known to be taken.

The plan of a change asks no server; it picks from what the reads before it found. One process looks
once, at 64 servers at most, whichever cluster is read first: so a refresh costs the same on any
fleet, and all clusters see the same spares. They are dealt out, as cards are, among the clusters
that have claims: several that grow in one apply rarely want the same one.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import MappingProxyType

from rpool.decide.deal import dealt, some_of_each
from rpool.decide.preflight import why_not_usable
from rpool.decide.target import Offer
from rpool.errors import RpoolError
from rpool.model.pool import PoolUid
from rpool.model.server import Fleet, Server, ServerName
from rpool.model.world import World

AT_ONCE = 16
MOST = 64
"""Each costs an SSH connection, about 50 ms of one core."""

LONGEST_SECONDS = 3.0
"""After this time no more are asked."""

PATIENCE_SECONDS = 3.0
"""Since the last answer: a busy machine makes all of them slow, a dead server only itself."""

AGAIN = 8
"""How many others that were known to be taken are asked again, chosen at random."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Why a server cannot be taken, or None for a spare; the cluster that has claimed it; and
    whether something has failed there.
    """

    why_not: str | None
    claimed_by: PoolUid | None = None
    doubtful: bool = False


class Offers:
    """The offers that one process has made. Safe to use from several threads."""

    def __init__(self, fleet: Fleet, world: World) -> None:
        self._fleet = fleet
        self._world = world
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._looked = False
        self._answered = False
        # The clusters that are read: their names and members.
        self._read: dict[PoolUid, tuple[str, Collection[ServerName]]] = {}
        self._asked: dict[ServerName, Future[Answer]] = {}

    def begin(self, uid: PoolUid, name: str, members: Collection[ServerName]) -> None:
        """Begin to look for spares while this cluster, which has these `members`, is read."""
        with self._lock:
            self._read[uid] = name, members
        threading.Thread(target=self._look_around, daemon=True).start()

    def make(
        self,
        uid: PoolUid,
        members: Collection[ServerName],
        known_taken: Mapping[ServerName, str] = MappingProxyType({}),
        pinned: Mapping[ServerName, str] = MappingProxyType({}),
    ) -> Offer:
        """The offer for a cluster with these members; others that it has are `pinned`.

        What was known to be taken stays so until it is seen to be free. Members of the clusters
        that are read are taken without a look.
        """
        self._answered = True  # there is no offer before a cluster was observed
        with self._lock:
            self._read[uid] = self._read.get(uid, ("", ()))[0], members
        self._look_around()
        in_use = self._members(uid) | dict(pinned)
        taken = {n: why for n, why in known_taken.items() if n in self._fleet.servers}
        unasked = sorted(taken.keys() - self._asked.keys() - in_use.keys())
        self._look(random.sample(unasked, min(AGAIN, len(unasked))))
        answers = {name: _so_far(asked) for name, asked in list(self._asked.items())}
        taken = {n: why for n, why in taken.items() if n not in answers}
        taken |= {n: answer.why_not for n, answer in answers.items() if answer.why_not is not None}
        taken = {n: why for n, why in taken.items() if n not in members} | dict(in_use)
        spares = [n for n, answer in answers.items() if answer.why_not is None and n not in in_use]
        uids = {a.claimed_by for a in answers.values() if a.claimed_by} | {*self._read}
        servers = [self._fleet.servers[name] for name in spares]
        doubtful = frozenset(name for name in spares if answers[name].doubtful)
        return Offer(frozenset(spares), dealt(servers, uids, uid), taken, doubtful)

    def claimed_by(self, uid: PoolUid) -> set[ServerName]:
        """The servers with a claim of that cluster, of those that were asked for the offer."""
        done = {name: future for name, future in list(self._asked.items()) if future.done()}
        return {name for name, future in done.items() if future.result().claimed_by == uid}

    def nobody_answers(self) -> bool:
        """Whether none of the servers that this process has asked so far has answered."""
        self._look_around()
        return not self._answered

    def _members(self, uid: PoolUid = "") -> dict[ServerName, str]:
        """The members of all clusters that are read, except this one, and in which they are."""
        with self._lock:
            return {
                server: f"in cluster {name} (uid {other})"
                for other, (name, members) in self._read.items()
                for server in members
                if other != uid
            }

    def _look_around(self) -> None:
        """Ask some servers of each sort, once; but no member of a cluster that is read."""
        with self._looking:
            if self._looked:
                return
            begun, known = time.monotonic(), self._members()
            open_ = [server for server in _pickable(self._fleet) if server.name not in known]
            names = [server.name for server in some_of_each(open_)][:MOST]
            for start in range(0, len(names), AT_ONCE):
                if time.monotonic() - begun < LONGEST_SECONDS:
                    self._look(names[start : start + AT_ONCE])
            self._looked = True

    def _look(self, names: Iterable[ServerName]) -> None:
        """Each server is asked once, and one that is slow to answer is not waited for."""
        with self._lock:
            done = silent = {self._ask(name) for name in names}
        while done and silent:
            done, silent = wait(silent, PATIENCE_SECONDS, FIRST_COMPLETED)

    def _ask(self, name: ServerName) -> Future[Answer]:
        if name not in self._asked:
            pool = ThreadPoolExecutor(1, thread_name_prefix="offer")
            self._asked[name] = pool.submit(self._answer, name)
            pool.shutdown(wait=False)
        return self._asked[name]

    def _answer(self, name: ServerName) -> Answer:
        try:
            probed = self._world.probe(name)
        except RpoolError as error:
            return Answer(error.summary)
        self._answered = True
        why = why_not_usable(self._fleet.servers[name], probed)
        claimed_by = probed.claim.uid if probed.claim else None
        return Answer(why, claimed_by, bool(probed.failures))


def _so_far(asked: Future[Answer]) -> Answer:
    late = Answer(f"no answer within {PATIENCE_SECONDS:.0f} s")
    return asked.result() if asked.done() else late


def _pickable(fleet: Fleet) -> list[Server]:
    """In the order of their names, so that all clusters deal alike."""
    servers = [server for _, server in sorted(fleet.servers.items())]
    return [server for server in servers if not (server.reserved or server.retire or server.lost)]
