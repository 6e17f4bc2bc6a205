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
    Join,
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
from rpool.model.pool import DrainPolicy, NodeSpec, OnTimeout, PoolSpec
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
    """A change of a pool that serves. `joining` has control plane `via`, through which the others
    join, and those that join; once they are in, all goes through `heir`: the same, unless it is to
    leave itself; `record` is what the cluster says of itself. A `partial` one does not fulfil the
    request, since some servers could not be had, so it does not settle it either.
    """

    record: Record
    wanted: PoolSpec
    joining: Joining
    via: ServerName
    heir: ServerName
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
    via, ours = change.via, change.joining.ownership(change.via, seen)
    up = ServersUp(change.joining, seen, via, all_or_none=False)
    joins = up.steps()
    arrivals = [*joins, *up.readiness(_NOTHING)]
    if joined := frozenset(step.name for step in joins if step.name.startswith("join ")):
        revoke = RevokeJoiners(via, ours, change.joining.secrets)
        opened = frozenset({up.opening_name})
        arrivals.append(Step("revoke joiners", via, revoke, opened, after=joined))
    dead = _dead(change, ours)
    forgotten = frozenset(map(_name, dead))
    arrivals = [
        replace(step, needs=step.needs | forgotten)
        if isinstance(step.action, Join) and step.action.control_plane
        else step
        for step in arrivals
    ]
    then = _Then(
        change, change.joining.ownership(change.heir, seen), frozenset(map(_name, arrivals))
    )
    steps = [*dead, *arrivals, *then.nodes(), *then.departures(), *then.metallb()]
    begin = Step(BEGUN, via, WriteRecord(via, ours, change.begun))
    begun = [begin, *(replace(step, needs=step.needs | {BEGUN}) for step in steps)]
    if change.partial:
        return begun
    settle = WriteRecord(change.heir, then.ours, change.ended)
    return [*begun, Step(SETTLED, change.heir, settle, frozenset(map(_name, begun)))]


_NOTHING: frozenset[StepName] = frozenset()


def _name(step: Step) -> StepName:
    return step.name


def _dead(change: Change, ours: Ownership) -> list[Step]:
    """Lost control planes go first: kubeadm joins no other while a member of etcd is dead (its
    phase check-etcd), and nothing is lost by it. One after the other, each with its proof.
    """
    steps: list[Step] = []
    before: frozenset[StepName] = _NOTHING
    for leaver in filter(_is_dead, change.leavers):
        name, via = leaver.name, change.via
        if leaver.in_etcd:
            action = RemoveEtcdMember(via, ours, name)
            steps.append(Step(f"leave etcd {name}", name, action, before))
            before = before | {f"leave etcd {name}"}
        steps.append(Step(forget_step(name), name, DeleteNode(via, ours, name), before))
        before = before | {forget_step(name)}
    return steps


def _is_dead(leaver: Leaver) -> bool:
    return leaver.lost and leaver.role is Role.CONTROL_PLANE


def forget_step(name: ServerName) -> StepName:
    """The last step about a server that leaves: with it done, the server is no member any more."""
    return f"forget {name}"


@dataclass(frozen=True, slots=True)
class _Then:
    """What is done through the heir (`ours` is its claim) once all have `arrived`."""

    change: Change
    ours: Ownership
    arrived: frozenset[StepName]

    def _step(self, name: StepName, action: Action, *needs: StepName) -> Step:
        return Step(name, self.change.heir, action, self.arrived.union(needs))

    def nodes(self) -> list[Step]:
        """Labels and taints of pinned members that are new or asked for otherwise than before."""
        was, heir = self.change.record.pinned, self.change.heir
        return [
            self._step(
                f"label {name}", SetNode(heir, self.ours, name, was.get(name, NodeSpec()), wanted)
            )
            for name, wanted in self.change.pinned.items()
            if was.get(name) != wanted or name in self.change.joining.roles
        ]

    def departures(self) -> list[Step]:
        steps: list[Step] = []
        before = self.arrived
        for leaver in self.change.leavers:
            if _is_dead(leaver):
                continue
            its = self._departure(leaver, before)
            steps += its
            if leaver.role is Role.CONTROL_PLANE:
                before = self.arrived | {its[-1].name}
        return steps

    def _departure(self, leaver: Leaver, before: frozenset[StepName]) -> list[Step]:
        """One server's way out, each step after the one before."""
        name, heir, ours, wanted = leaver.name, self.change.heir, self.ours, self.change.wanted
        chain: list[tuple[StepName, Action]] = []
        if leaver.has_node and leaver.claim is not None:
            seconds, budgets = wanted.drain.timeout_seconds, _budgets(wanted.drain)
            chain.append((f"drain {name}", Drain(heir, ours, (name,), seconds, budgets)))
        if leaver.claim is not None:
            its = leaver.claim.ownership
            chain.append((f"leave {name}", SetPhase(name, its, Phase.LEAVING)))
            if leaver.role is Role.CONTROL_PLANE:
                chain.append((f"step down {name}", StepDown(name, its)))
        if leaver.in_etcd:
            chain.append((f"leave etcd {name}", RemoveEtcdMember(heir, ours, name)))
        if leaver.claim is not None:
            vip = wanted.control_plane.endpoint.vip
            chain.append((f"reset {name}", Reset(name, leaver.claim.ownership, vip)))
        chain.append((forget_step(name), DeleteNode(heir, ours, name)))
        steps: list[Step] = []
        for title, action in chain:
            steps.append(Step(title, name, action, before))
            before = before | {title}
        return steps

    def metallb(self) -> list[Step]:
        """Its pools as they should be; all of it anew where an earlier change was cut off."""
        was, wanted = self.change.record.spec.metallb_pools, self.change.wanted.metallb_pools
        settled = self.change.record.phase is RecordPhase.SETTLED
        heir, ours = self.change.heir, self.ours
        if was == wanted and settled:
            return []
        if not wanted:
            return [self._step("remove metallb", RemoveMetalLB(heir, ours))] if was else []
        configure = ConfigureMetalLB(heir, ours, wanted)
        if was and settled:
            return [self._step("metallb pools", configure)]
        install = self._step("metallb", ApplyMetalLB(heir, ours))
        return [install, self._step("metallb pools", configure, install.name)]


def _budgets(policy: DrainPolicy) -> Budgets:
    return Budgets.RESPECTED if policy.on_timeout is OnTimeout.FAIL else Budgets.UNTIL_TIMEOUT
