"""The steps that give a pool's servers back: drained, reset, verified clean, unclaimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rpool.model.action import Budgets, Drain, Reset, SetPhase
from rpool.model.claim import Claim, Phase
from rpool.model.pool import PoolUid
from rpool.model.seen import Probed
from rpool.model.server import ServerName
from rpool.model.step import Step


@dataclass(frozen=True, slots=True)
class Removal:
    """What a destroy found: who is ours, who is not, and through whom the API can be reached."""

    uid: PoolUid
    ours: Mapping[ServerName, Claim]
    api_via: ServerName | None
    nodes: tuple[ServerName, ...]
    vip: str | None
    drain_timeout_seconds: int


def belongs_to(uid: PoolUid, probed: Probed) -> bool:
    """Whether a server is claimed by this very pool: only then may a destroy touch it."""
    return probed.claim is not None and probed.claim.uid == uid


def plan_destroy(removal: Removal) -> list[Step]:
    """Drain through the API while there is one, then reset all servers at once."""
    leaving = [
        Step(f"leave {name}", name, SetPhase(name, claim.ownership, Phase.LEAVING))
        for name, claim in removal.ours.items()
    ]
    marked = frozenset(step.name for step in leaving)
    drained = _drain(removal, marked)
    resets = [
        Step(
            f"reset {name}",
            name,
            Reset(name, claim.ownership, removal.vip),
            needs=frozenset({f"leave {name}"}),
            after=frozenset(step.name for step in drained),
        )
        for name, claim in removal.ours.items()
    ]
    return [*leaving, *drained, *resets]


def _drain(removal: Removal, after: frozenset[str]) -> list[Step]:
    via = removal.api_via
    if via is None or not removal.nodes:
        return []
    seconds = removal.drain_timeout_seconds
    drain = Drain(via, removal.ours[via].ownership, removal.nodes, seconds, Budgets.IGNORED)
    return [Step("drain", via, drain, after=after)]
