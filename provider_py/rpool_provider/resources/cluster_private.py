"""What a read of a cluster leaves for the plans after it, in Terraform's private data.

Private data of a read reaches both plans of an apply unchanged, a saved plan's too; it is what lets
planning be a pure function. It is not shown, but not encrypted either.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from rpool.decide.target import Offer
from rpool.model.server import ServerName


@dataclass(frozen=True, slots=True)
class Known:
    """The offer, and the members that are half in and half out of the pool."""

    offer: Offer = field(default_factory=Offer)
    joining: frozenset[ServerName] = frozenset()
    leaving: frozenset[ServerName] = frozenset()


def encode(known: Known) -> bytes:
    return json.dumps(
        {
            "verified": sorted(known.offer.verified),
            "given": sorted(known.offer.given),
            "taken": dict(known.offer.taken),
            "elsewhere": sorted(known.offer.elsewhere),
            "joining": sorted(known.joining),
            "leaving": sorted(known.leaving),
        },
        sort_keys=True,
    ).encode()


def decode(private: bytes) -> Known:
    """What `encode` made; nothing is known where there is no such data, as after a create."""
    try:
        data = json.loads(private or b"{}")
    except ValueError:
        return Known()
    offer = Offer(
        verified=frozenset(data.get("verified", ())),
        given=frozenset(data.get("given", ())),
        taken=data.get("taken", {}),
        elsewhere=frozenset(data.get("elsewhere", ())),
    )
    return Known(offer, frozenset(data.get("joining", ())), frozenset(data.get("leaving", ())))
