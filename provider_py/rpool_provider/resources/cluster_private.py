"""What a read of a cluster leaves for later plans, in Terraform's private data.

Private data of a read reaches both plans of an apply unchanged, also with a saved plan, so planning
can be a pure function. It is not shown, but not encrypted either.
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
    """The offer, members whose join or departure was cut off, and repairs of unhealthy members.
    Servers in `refused` failed to join in earlier applies: they are chosen last, whatever a probe
    of them shows.
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
    """What a failed update leaves for the read before the next plan: all servers that are known to
    be taken, so that plans do not alternate between two sets. A read that finds one free drops it;
    but until an apply succeeds others come first, as it may look free and accept no claim.
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
    """What `encode` made. Data of another shape or format counts as none, as after a create: it is
    from another version of rpool, and the next read replaces it.
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
    names = value if isinstance(value, list) else []
    return frozenset(names) if all(isinstance(name, str) for name in names) else frozenset()


def _reasons(value: Any) -> dict[ServerName, str]:
    reasons = value if isinstance(value, dict) else {}
    return reasons if all(isinstance(reason, str) for reason in reasons.values()) else {}
