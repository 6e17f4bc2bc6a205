"""What a read of a cluster leaves for the plans after it, in Terraform's private data.

Private data of a read reaches both plans of an apply unchanged, a saved plan's too; it is what lets
planning be a pure function. It is not shown, but not encrypted either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rpool.attempt import Found
from rpool.decide.health import NO_REPAIRS, Repairs
from rpool.decide.target import Offer
from rpool.model.server import ServerName

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Known:
    """The offer, the members that are half in and half out of the cluster, and what is to be done
    about those that are not well. Those that `refused` to join in applies that failed come last,
    whatever a look at them shows.
    """

    offer: Offer = field(default_factory=Offer)
    joining: frozenset[ServerName] = frozenset()
    leaving: frozenset[ServerName] = frozenset()
    repairs: Repairs = NO_REPAIRS
    refused: frozenset[ServerName] = frozenset()

    def then(self, found: Found) -> Known:
        """What is known after a read."""
        offer = replace(found.offer, doubtful=found.offer.doubtful | self.refused)
        return Known(offer, found.joining, found.leaving, found.repairs, self.refused)


def learned(before: bytes, taken: Mapping[ServerName, str]) -> bytes:
    """What an update that failed leaves for the read before the next plan: all that is known to be
    taken, so that two sets of servers never take turns. A read that sees one free drops it; but
    until an apply succeeds others come first, for it may look free and take no claim.
    """
    known = decode(before)
    offer = Offer(taken={**known.offer.taken, **taken})
    return encode(Known(offer, refused=known.refused | taken.keys()))


def encode(known: Known) -> bytes:
    return json.dumps(
        {
            "format": FORMAT,
            "verified": sorted(known.offer.verified),
            "given": sorted(known.offer.given),
            "taken": dict(known.offer.taken),
            "doubtful": sorted(known.offer.doubtful),
            "joining": sorted(known.joining),
            "leaving": sorted(known.leaving),
            "lost": sorted(known.repairs.lost),
            "mend": sorted(known.repairs.mend),
            "held": dict(known.repairs.held),
            "returned": sorted(known.repairs.returned),
            "failed": sorted(known.repairs.failed),
            "refused": sorted(known.refused),
        },
        sort_keys=True,
    ).encode()


def decode(private: bytes) -> Known:
    """What `encode` made. What does not have its shape or its format is nothing, as after a create:
    another version of rpool wrote it, and the next read makes it anew.
    """
    try:
        data = json.loads(private or b"{}")
    except (ValueError, RecursionError):
        return Known()
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return Known()
    offer = Offer(
        verified=_names(data.get("verified")),
        given=_names(data.get("given")),
        taken=_reasons(data.get("taken")),
        doubtful=_names(data.get("doubtful")),
    )
    repairs = Repairs(
        _names(data.get("lost")),
        _names(data.get("mend")),
        _reasons(data.get("held")),
        _names(data.get("returned")),
        _names(data.get("failed")),
    )
    joining, leaving = _names(data.get("joining")), _names(data.get("leaving"))
    return Known(offer, joining, leaving, repairs, _names(data.get("refused")))


def _names(value: Any) -> frozenset[ServerName]:
    its = value if isinstance(value, list) else []
    return frozenset(its) if all(isinstance(name, str) for name in its) else frozenset()


def _reasons(value: Any) -> dict[ServerName, str]:
    its = value if isinstance(value, dict) else {}
    return its if all(isinstance(reason, str) for reason in its.values()) else {}
