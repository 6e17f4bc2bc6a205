"""The steps that make a pool bigger, smaller or other while it goes on working.

The record comes first, so that whoever finds this change cut off can finish it. Then servers join,
and only when all of them are ready do others leave: drained, out of etcd, reset, verified clean,
forgotten. Workers leave side by side; control planes one at a time, each with its proof that etcd
keeps its quorum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rpool.decide.joining import Joining, ServersUp
from rpool.model.action import (
    Action,
    ApplyMetalLB,
    Budgets,
    ConfigureMetalLB,
    DeleteNode,
    Drain,
    RemoveEtcdMember,
    RemoveMetalLB,
    Reset,
    RevokeJoiners,
    SetNode,
    SetPhase,
    StepDown,
    WriteRecord,
)
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.pool import NodeSpec, OnTimeout, PoolSpec
from rpool.model.record import Member, Record, RecordPhase
from rpool.model.seen import Probed
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName

BEGUN = "record applying"
SETTLED = "record settled"


@dataclass(frozen=True, slots=True)
class Leaver:
    """A member on its way out. `claim` is ours that was seen on it; without one there is nothing
    left to do on the server itself: it was reset before, or it is lost.
    """

    name: ServerName
    role: Role
    claim: Claim | None
    has_node: bool
    in_etcd: bool
    lost: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a pool that serves. `joining` has control plane `via`, which stays, and those
    that join; `record` is what the cluster says of itself. A `partial` one does not fulfil the
    request, since some servers could not be had, so it does not settle it either.
    """

    record: Record
    wanted: PoolSpec
    joining: Joining
    via: ServerName
    leavers: tuple[Leaver, ...]
    pinned: Mapping[ServerName, NodeSpec]
    partial: bool = False

    @property
    def begun(self) -> Record:
        """The record while the change is under way."""
        arriving = {n: m for n, m in self.joining.members().items() if n != self.via}
        return replace(
            self.record,
            spec=self.wanted,
            generation=self.joining.epoch,
            phase=RecordPhase.APPLYING,
            members={**self.record.members, **arriving},
            joining=frozenset(arriving),
            leaving=frozenset(leaver.name for leaver in self.leavers),
            pinned={**self.record.pinned, **self.pinned},
        )

    @property
    def ended(self) -> Record:
        """The record once all of it is done."""
        gone = frozenset(leaver.name for leaver in self.leavers)
        return replace(
            self.begun,
            phase=RecordPhase.SETTLED,
            members={n: m for n, m in self.begun.members.items() if n not in gone},
            joining=frozenset(),
            leaving=frozenset(),
            retired=self.record.retired | {leaver.name for leaver in self.leavers if leaver.lost},
            pinned=self.pinned,
        )

    def cut_off(
        self,
        members: Mapping[ServerName, Member],
        leaving: frozenset[ServerName],
        halfway: frozenset[ServerName],
    ) -> Record:
        """The record when the change ends early: as big as was asked for before, with what it has
        now. It is settled unless a server is half out (`leaving`) or half in (`halfway`).
        """
        lost = {leaver.name for leaver in self.leavers if leaver.lost}
        return replace(
            self.begun,
            spec=self.record.spec,
            phase=RecordPhase.APPLYING if leaving or halfway else RecordPhase.SETTLED,
            members=members,
            joining=halfway,
            leaving=leaving,
            retired=self.record.retired | (lost - members.keys()),
            pinned={n: its for n, its in self.begun.pinned.items() if n in members},
        )

    @property
    def moves_nobody(self) -> bool:
        return self.joining.roles.keys() == {self.via} and not self.leavers

    @property
    def is_nothing(self) -> bool:
        """Whether the pool is what was asked for already, down to its record."""
        settled = self.record.phase is RecordPhase.SETTLED
        same = self.record.spec == self.wanted and self.record.pinned == self.pinned
        return settled and same and self.moves_nobody


def plan_change(change: Change, seen: Mapping[ServerName, Probed]) -> list[Step]:
    """All steps from what was seen to a settled pool; `seen` has `via` and those that join."""
    up = ServersUp(change.joining, seen, change.via, all_or_none=False)
    ours = change.joining.ownership(change.via, seen)

    def step(name: StepName, action: Action, needs: frozenset[StepName] = _NOTHING) -> Step:
        return Step(name, change.via, action, needs)

    steps = [step(BEGUN, WriteRecord(change.via, ours, change.begun))]
    arrivals = up.steps()
    ready = up.readiness(_NOTHING)
    steps += [*arrivals, *ready]
    if joins := frozenset(s.name for s in arrivals if s.name.startswith("join ")):
        revoke = RevokeJoiners(change.via, ours, change.joining.secrets)
        opened = frozenset({up.opening_name})
        steps.append(Step("revoke joiners", change.via, revoke, opened, after=joins))
    arrived = frozenset(s.name for s in [*arrivals, *ready])
    steps += [
        *_nodes(change, ours, frozenset(s.name for s in arrivals)),
        *_departures(change, seen, arrived),
        *_metallb(change, seen, arrived),
    ]
    begun = [steps[0], *(replace(s, needs=s.needs | {BEGUN}) for s in steps[1:])]
    if change.partial:
        return begun
    everything = frozenset(s.name for s in begun)
    return [*begun, step(SETTLED, WriteRecord(change.via, ours, change.ended), everything)]


_NOTHING: frozenset[StepName] = frozenset()


def _nodes(change: Change, ours: Ownership, arrivals: frozenset[StepName]) -> list[Step]:
    """Labels and taints of pinned members that are new or asked for otherwise than before."""
    return [
        Step(
            f"label {name}",
            change.via,
            SetNode(change.via, ours, name, change.record.pinned.get(name, NodeSpec()), wanted),
            arrivals & {f"join {name}"},
        )
        for name, wanted in change.pinned.items()
        if change.record.pinned.get(name) != wanted or name in change.joining.roles
    ]


def _departures(
    change: Change, seen: Mapping[ServerName, Probed], arrived: frozenset[StepName]
) -> list[Step]:
    steps: list[Step] = []
    before = arrived
    for leaver in change.leavers:
        its = _departure(change, seen, leaver, before)
        steps += its
        if leaver.role is Role.CONTROL_PLANE:
            before = arrived | {its[-1].name}
    return steps


def forget_step(name: ServerName) -> StepName:
    """The last step about a server that leaves: with it done, the server is no member any more."""
    return f"forget {name}"


def _departure(
    change: Change,
    seen: Mapping[ServerName, Probed],
    leaver: Leaver,
    before: frozenset[StepName],
) -> list[Step]:
    """One server's way out, each step after the one before."""
    name, via = leaver.name, change.via
    ours = change.joining.ownership(via, seen)
    policy, vip = change.wanted.drain, change.wanted.control_plane.endpoint.vip
    chain: list[tuple[StepName, ServerName, Action]] = []
    if leaver.has_node and leaver.claim is not None:
        budgets = (
            Budgets.RESPECTED if policy.on_timeout is OnTimeout.FAIL else Budgets.UNTIL_TIMEOUT
        )
        drain = Drain(via, ours, (name,), policy.timeout_seconds, budgets)
        chain.append((f"drain {name}", name, drain))
    if leaver.claim is not None:
        its = leaver.claim.ownership
        chain.append((f"leave {name}", name, SetPhase(name, its, Phase.LEAVING)))
        if leaver.role is Role.CONTROL_PLANE:
            chain.append((f"step down {name}", name, StepDown(name, its)))
    if leaver.in_etcd:
        chain.append((f"leave etcd {name}", name, RemoveEtcdMember(via, ours, name)))
    if leaver.claim is not None:
        chain.append((f"reset {name}", name, Reset(name, leaver.claim.ownership, vip)))
    chain.append((forget_step(name), name, DeleteNode(via, ours, name)))
    steps: list[Step] = []
    for title, server, action in chain:
        steps.append(Step(title, server, action, before))
        before = before | {title}
    return steps


def _metallb(
    change: Change, seen: Mapping[ServerName, Probed], arrived: frozenset[StepName]
) -> list[Step]:
    was, wanted, via = change.record.spec.metallb_pools, change.wanted.metallb_pools, change.via
    if was == wanted and change.record.phase is RecordPhase.SETTLED:
        return []
    ours = change.joining.ownership(via, seen)
    if not wanted:
        return [Step("remove metallb", via, RemoveMetalLB(via, ours))] if was else []
    configure = Step("metallb pools", via, ConfigureMetalLB(via, ours, wanted), arrived)
    if was and change.record.phase is RecordPhase.SETTLED:
        return [configure]
    install = Step("metallb", via, ApplyMetalLB(via, ours))
    return [install, replace(configure, needs=configure.needs | {install.name})]
