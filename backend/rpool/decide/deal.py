"""How spares are shared among clusters that may all want some and cannot ask each other. Pure.

Clusters that know of each other and of the same spares compute the same shares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Iterable
from itertools import zip_longest

from rpool.model.pool import PoolUid
from rpool.model.server import Server, ServerName


def dealt(
    spares: Iterable[Server], clusters: Collection[PoolUid], uid: PoolUid
) -> frozenset[ServerName]:
    """The share of cluster `uid`. Of servers that are alike, and of those in one zone, the clusters
    get equal numbers, give or take one.
    """
    order = sorted({*clusters, uid})
    cards = sorted(spares, key=lambda server: (_like(server), server.zone, server.name))
    return frozenset(server.name for server in cards[order.index(uid) :: len(order)])


def some_of_each(servers: Iterable[Server]) -> list[Server]:
    """The servers, one of each kind and zone in turn, so that any prefix is a fair sample."""
    kinds: dict[Hashable, list[Server]] = {}
    for server in sorted(servers, key=_hash):
        kinds.setdefault((_like(server), server.zone), []).append(server)
    turns = zip_longest(*kinds.values())
    return [server for turn in turns for server in turn if server is not None]


def _like(server: Server) -> tuple[str, int, int, tuple[tuple[str, str], ...]]:
    labels = tuple(sorted(server.labels.items()))
    return server.trust, server.cores, server.memory_gib, labels


def _hash(server: Server) -> str:
    return hashlib.sha256(server.name.encode()).hexdigest()
