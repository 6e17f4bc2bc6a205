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
    """What there is of one cluster of that name: its claims, those of its servers that have joined,
    and its API, if that is shown.
    """

    uid: PoolUid
    claims: Mapping[ServerName, Claim]
    joined: frozenset[ServerName]
    shown: Shown | None
    # The one that these servers are in by now: taking over was cut off before it got to them.
    of: Remains | None = None

    @property
    def record(self) -> Record | None:
        return self.shown[1].record if self.shown else None

    def has_in_it(self, other: Remains) -> bool:
        """Whether the servers of `other` that have joined have joined this one."""
        nodes = self.shown[1].nodes.keys() if self.shown else set()
        return bool(other.joined) and other.joined <= nodes

    def never_settled(self, *, all_answered: bool) -> bool:
        """Whether its create never came to its end, for certain: by its record; or by claims that
        are its first ones and of which one has yet to join; or since all that there is of it is on
        its way in or out.
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
    """Where taking over was cut off in its middle, some claims still have the former uid: what is
    shown of the cluster that their servers are in is of them, too.
    """
    return [
        replace(its, of=one, shown=one.shown) if one is not None else its
        for its in found
        for one in [next((one for one in found if not its.shown and one.has_in_it(its)), None)]
    ]
