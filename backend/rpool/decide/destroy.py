"""The steps that give a pool's servers back: drained, reset, verified clean, unclaimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rpool.model.action import Budgets, Drain, Reset, SetPhase, WriteRecord
from rpool.model.claim import Claim, Phase
from rpool.model.pool import PoolUid
from rpool.model.record import Record, RecordPhase
from rpool.model.server import ServerName
from rpool.model.step import Step


@dataclass(frozen=True, slots=True)
class Removal:
    """What a destroy found: who is ours, who is not, through whom the API can be reached, and the
    record there; `change` is the id of this change.
    """

    uid: PoolUid
    ours: Mapping[ServerName, Claim]
    api_via: ServerName | None
    nodes: tuple[ServerName, ...]
    vip: str | None
    drain_timeout_seconds: int
    record: Record | None
    change: str


def plan_destroy(removal: Removal) -> list[Step]:
    """Drain through the API while there is one, then reset all servers at once."""
    drained = _drain(removal)
    before = frozenset(step.name for step in drained)
    leaving = [
        Step(
            f"leave {name}",
            name,
            SetPhase(name, claim.ownership, Phase.LEAVING),
            after=before,
        )
        for name, claim in removal.ours.items()
    ]
    resets = [
        Step(
            f"reset {name}",
            name,
            Reset(name, claim.ownership, removal.vip),
            needs=frozenset({f"leave {name}"}),
        )
        for name, claim in removal.ours.items()
    ]
    return [*drained, *leaving, *resets]


def begin_destroy(removal: Removal) -> list[Step]:
    """The record that says what is under way. Who keeps the cluster after all finds in it that
    every server may be on the way out; the claims say which are. Refused where another operation
    has written its own: then nothing else is done.
    """
    via, record = removal.api_via, removal.record
    if via is None or record is None:
        return []
    begun = replace(
        record,
        phase=RecordPhase.APPLYING,
        leaving=frozenset(record.members),
        change=removal.change,
    )
    ours = removal.ours[via].ownership
    return [Step("record applying", via, WriteRecord(via, ours, begun, record.change))]


def _drain(removal: Removal) -> list[Step]:
    via = removal.api_via
    if via is None or not removal.nodes:
        return []
    seconds = removal.drain_timeout_seconds
    drain = Drain(via, removal.ours[via].ownership, removal.nodes, seconds, Budgets.IGNORED)
    return [Step("drain", via, drain)]
