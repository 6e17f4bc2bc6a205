"""What is left of clusters of one name, as the claims and the APIs show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rpool.model.claim import Claim
from rpool.model.pool import PoolUid
from rpool.model.record import Record
from rpool.model.seen import ClusterSeen
from rpool.model.server import ServerName

Shown = tuple[ServerName, ClusterSeen]
"""A cluster's API, and the control plane that shows it."""


@dataclass(frozen=True)
class Remains:
    """What is left of one cluster of that name: its claims, those of its servers that have joined,
    and its API, if a control plane shows it.
    """

    uid: PoolUid
    claims: Mapping[ServerName, Claim]
    joined: frozenset[ServerName]
    shown: Shown | None
    # The cluster that has these servers now: a takeover was cut off before it reached their claims.
    of: Remains | None = None

    @property
    def record(self) -> Record | None:
        return self.shown[1].record if self.shown else None

    def has_in_it(self, other: Remains) -> bool:
        """Whether all joined servers of `other` have joined this cluster."""
        nodes = self.shown[1].nodes.keys() if self.shown else set()
        return bool(other.joined) and other.joined <= nodes

    def never_settled(self, *, all_answered: bool) -> bool:
        """Whether its create has certainly never ended: by its record; or since its claims are the
        first ones, and one has yet to join; or since all that is left is on its way in or out.
        """
        if self.of is not None:
            return self.of.never_settled(all_answered=all_answered)
        if self.record is not None:
            return self.record.settled is None
        claims = self.claims.values()
        if all_answered and not any(claim.is_member for claim in claims):
            return True
        first = all(claim.epoch == 1 and not claim.is_leaving for claim in claims)
        return first and any(claim.is_joining for claim in claims)


def whole(found: Sequence[Remains]) -> list[Remains]:
    """The remains in `found`. After a takeover that was cut off, some claims still have the former
    uid: these remains get the cluster that their servers are in now, and its API.
    """
    return [
        replace(part, of=main, shown=main.shown) if main is not None else part
        for part in found
        for main in [
            next((each for each in found if not part.shown and each.has_in_it(part)), None)
        ]
    ]
