"""One operation of one operator, and what it has lost by now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fault.in_turn import Stop
from fault.kinds import Fault
from rpool.model import action as act
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName

QUIET = (act.AppendJournal, act.AwaitReady, act.NoteFailure)
"""Actions that change nothing that counts."""

BY_API = (
    act.WriteRecord,
    act.AdmitJoiners,
    act.RevokeJoiners,
    act.ApplyNetwork,
    act.ApplyMetalLB,
    act.ConfigureMetalLB,
    act.RemoveMetalLB,
    act.Drain,
    act.Uncordon,
    act.SpreadDns,
    act.RemoveEtcdMember,
    act.SetNode,
    act.DeleteNode,
    act.AwaitReady,
)


@dataclass
class Lock:
    number: int
    lost_: Callable[[], bool]

    def lost(self) -> bool:
        return self.lost_()


@dataclass
class Operator:
    """One operation, and what it has lost by now."""

    due: dict[int, Fault]
    count: int = 0
    dead: bool = False
    locks_lost: bool = False
    no_joins: bool = False
    no_api: bool = False
    refused: int = 0
    cut: set[ServerName] = field(default_factory=set)
    held: set[tuple[ServerName, PoolUid]] = field(default_factory=set)
    stop: Stop = field(default_factory=Stop)
