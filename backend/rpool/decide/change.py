"""The steps that make a pool bigger, smaller or other while it goes on working.

The record comes first, so that whoever finds this change cut off can finish it. Then servers join,
and only when all of them are ready do others leave: drained, out of etcd, reset, verified clean,
forgotten. Workers leave side by side; control planes one at a time, each with its proof that etcd
keeps its quorum. Only the dead leave before others join.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rpool.decide.joining import Joining, ServersUp
from rpool.model.action import (
    Action,
    ApplyMetalLB,
    ApplyNetwork,
    AwaitReady,
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
    Uncordon,
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
REVOKE = "revoke joiners"


@dataclass(frozen=True, slots=True)
class Leaver:
    """A member on its way out. `claim` is ours that was seen on it; without one there is nothing
    to do on the server itself: it is silent, was reset before, or is somebody else's by now.
    `lost` ones are not drained. `dead` says that nothing of the cluster runs there: a control plane
    that etcd counts and gets no answer from, or a worker that is lost and silent.
    """

    name: ServerName
    role: Role
    claim: Claim | None
    has_node: bool
    joined: bool
    lost: bool
    silent: bool
    dead: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a pool that serves. `joining` has control plane `via`, through which the others
    join, and those that join; once they are in, all goes through `heir`: the same, unless it is to
    leave itself; `record` is what the cluster says of itself. A `partial` one does not fulfil the
    request, since some servers could not be had, so it does not settle it either.

    `nodeless`, `cordoned` and `undressed` are members whose Node is to come back, be uncordoned, or
    get the labels and taints it lacks; those that are `staying` were to leave, by a change that was
    cut off. With `one` the change is about that pinned server alone:
    whatever else is half in or half out stays so, and so does the phase, which is the pool's own.
    """

    record: Record
    wanted: PoolSpec
    joining: Joining
    via: ServerName
    heir: ServerName
    leavers: tuple[Leaver, ...]
    pinned: Mapping[ServerName, NodeSpec]
    nodeless: frozenset[ServerName] = frozenset()
    cordoned: frozenset[ServerName] = frozenset()
    undressed: frozenset[ServerName] = frozenset()
    staying: frozenset[ServerName] = frozenset()
    one: ServerName | None = None
    partial: bool = False

    @property
    def follows_another(self) -> bool:
        """Whether a change was cut off before this one, which is to leave nothing of it behind."""
        if self.one is not None:
            return self.one in self.record.joining | self.record.leaving
        return self.record.phase is RecordPhase.APPLYING

    def concerns(self, server: ServerName) -> bool:
        return server == self.one if self.one else server not in self.record.pinned

    @property
    def _arriving(self) -> dict[ServerName, Member]:
        return {n: m for n, m in self.joining.members().items() if n != self.via}

    @property
    def going(self) -> frozenset[ServerName]:
        return frozenset(leaver.name for leaver in self.leavers)

    @property
    def _redressed(self) -> dict[ServerName, NodeSpec]:
        """Of nodes that get other labels and taints: all that may be on them meanwhile."""
        was, wanted = self.record.pinned, self.pinned
        return {n: was[n].beside(wanted[n]) for n in was.keys() & wanted if was[n] != wanted[n]}

    @property
    def begun(self) -> Record:
        """The record while the change is under way. Who is half in or half out stays so, unless
        something is done about it.
        """
        record, arriving = self.record, self._arriving
        members = {**record.members, **arriving}
        begun = replace(
            record,
            change=self.joining.change,
            generation=self.joining.epoch,
            members=members,
            joining=((record.joining | arriving.keys()) - self.going) & members.keys(),
            leaving=((record.leaving - self.staying) | self.going) & members.keys(),
            pinned={**self.pinned, **record.pinned, **self._redressed},
        )
        if self.one:
            return begun
        return replace(
            begun,
            phase=RecordPhase.APPLYING,
            wanted=self.wanted,
            metallb=record.metallb or bool(self.wanted.metallb_pools),
        )

    @property
    def ended(self) -> Record:
        """The record once all of it is done."""
        begun, going = self.begun, self.going
        silent = frozenset(leaver.name for leaver in self.leavers if leaver.silent)
        ended = replace(
            begun,
            members={n: m for n, m in begun.members.items() if n not in going},
            joining=begun.joining - self.joining.roles.keys(),
            leaving=begun.leaving - going,
            retired=(self.record.retired | silent) - self._arriving.keys(),
            pinned=self.pinned,
        )
        if self.one:
            return ended
        return replace(
            ended,
            spec=self.wanted,
            phase=RecordPhase.SETTLED,
            wanted=None,
            created=True,
            metallb=False,
        )

    def cut_off(self, outcome: Outcome) -> Record:
        """The record when the change ends early: as big as was asked for before, with what it has
        now. It is settled if it was before and nothing is half done: no server is half in or out,
        and the cluster itself is as it was.
        """
        begun, arriving = self.begun, self._arriving
        silent = frozenset(leaver.name for leaver in self.leavers if leaver.silent)
        members = {
            name: its
            for name, its in begun.members.items()
            if name not in outcome.gone and (name in self.record.members or name in outcome.claimed)
        }
        joining = (self.record.joining | arriving.keys()) - outcome.arrived
        leaving = (self.record.leaving - self.staying) | outcome.half_out
        dressed = {n: self.pinned[n] for n in outcome.dressed if n in self.pinned}
        pinned = {**begun.pinned, **dressed}
        record = replace(
            begun,
            members=members,
            joining=joining & members.keys(),
            leaving=leaving & members.keys(),
            retired=(self.record.retired | (silent - members.keys())) - arriving.keys(),
            pinned={n: its for n, its in pinned.items() if n in members},
        )
        half_done = any(map(self.concerns, record.joining | record.leaving)) or outcome.cluster
        if self.one or half_done or self.record.phase is RecordPhase.APPLYING:
            return record
        return replace(record, phase=RecordPhase.SETTLED, wanted=None, metallb=self.record.metallb)

    @property
    def moves_nobody(self) -> bool:
        return self.joining.roles.keys() == {self.via} and not self.leavers

    @property
    def is_nothing(self) -> bool:
        """Whether the pool is what was asked for already, down to its record."""
        settled = self.record.phase is RecordPhase.SETTLED or self.one is not None
        same = self.record.spec == self.wanted and self.record.pinned == self.pinned
        left = self.cordoned | self.undressed | self.staying
        return settled and same and self.moves_nobody and not left


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a change that ended early: who joined for good (`arrived`) or has been
    `claimed` at least, who is `gone`, or on the way out (`half_out`), who got labels and taints
    (`dressed`); and whether the cluster itself may be other than before: its MetalLB, or a token
    that is still good.
    """

    arrived: frozenset[ServerName] = frozenset()
    claimed: frozenset[ServerName] = frozenset()
    gone: frozenset[ServerName] = frozenset()
    half_out: frozenset[ServerName] = frozenset()
    dressed: frozenset[ServerName] = frozenset()
    cluster: bool = False


def plan_change(change: Change, seen: Mapping[ServerName, Probed]) -> list[Step]:
    """All steps from what was seen to a settled pool; `seen` has `via` and those that join."""
    via, ours = change.via, change.joining.ownership(change.via, seen)
    up = ServersUp(change.joining, seen, via, all_or_none=False, nodeless=change.nodeless)
    joins = up.steps()
    arrivals = [*joins, *_readiness(change, up, ours), *_uncordons(change, ours)]
    joined = frozenset(step.name for step in joins if step.name.startswith("join "))
    if joined or change.follows_another:
        revoke = RevokeJoiners(via, ours, change.joining.secrets)
        opened = frozenset({up.opening_name} if joined else ())
        arrivals.append(Step(REVOKE, via, revoke, opened, after=joined))
    dead = _departures(change, [its for its in change.leavers if its.dead], _NOTHING, via, ours)
    forgotten = frozenset(map(_name, dead))
    arrivals = [  # kubeadm lets no control plane in while a member of etcd does not answer
        replace(step, needs=step.needs | forgotten)
        if isinstance(step.action, Join) and step.action.control_plane
        else step
        for step in arrivals
    ]
    then = _Then(
        change,
        change.joining.ownership(change.heir, seen),
        frozenset(map(_name, arrivals)),
        forgotten,
    )
    steps = [*dead, *arrivals, *then.nodes(), *then.departures(), *then.metallb()]
    begin = Step(BEGUN, via, WriteRecord(via, ours, change.begun, change.record.change))
    begun = [begin, *(replace(step, needs=step.needs | {BEGUN}) for step in steps)]
    if change.partial:
        return begun
    settle = WriteRecord(change.heir, then.ours, change.ended, change.joining.change)
    return [*begun, Step(SETTLED, change.heir, settle, frozenset(map(_name, begun)))]


_NOTHING: frozenset[StepName] = frozenset()


def _name(step: Step) -> StepName:
    return step.name


def _readiness(change: Change, up: ServersUp, ours: Ownership) -> list[Step]:
    """Those that join are waited for. Of a pool that was never complete it is not known that it has
    a network of pods, so all nodes are.
    """
    via, networking = change.via, change.joining.spec.networking
    if change.record.created or change.one or networking.cni == "none":
        return [step for step in up.readiness(_NOTHING) if step.name != f"ready {via}"]
    network = Step("network", via, ApplyNetwork(via, ours, networking.pod_cidr))
    needs = frozenset({network.name})
    there = change.record.members.keys() - change.joining.roles.keys() - change.going
    return [
        network,
        *up.readiness(needs),
        *(Step(f"ready {n}", via, AwaitReady(via, (n,)), needs) for n in sorted(there)),
    ]


def _uncordons(change: Change, ours: Ownership) -> list[Step]:
    """Members that an earlier change had begun to drain, and that stay after all."""
    via = change.via
    return [
        Step(f"uncordon {name}", via, Uncordon(via, ours, name)) for name in sorted(change.cordoned)
    ]


def forget_step(name: ServerName) -> StepName:
    """The last step about a server that leaves: with it done, the server is no member any more."""
    return f"forget {name}"


@dataclass(frozen=True, slots=True)
class _Then:
    """What is done through the heir (`ours` is its claim) once all have `arrived`. The dead are
    `forgotten` before a living control plane leaves: they count in etcd until they are out.
    """

    change: Change
    ours: Ownership
    arrived: frozenset[StepName]
    forgotten: frozenset[StepName]

    def _step(self, name: StepName, action: Action, *needs: StepName) -> Step:
        return Step(name, self.change.heir, action, self.arrived.union(needs))

    def nodes(self) -> list[Step]:
        """Labels and taints of pinned members that are new or asked for otherwise than before."""
        was, heir = self.change.record.pinned, self.change.heir
        joining = self.change.joining.roles
        return [
            self._step(
                f"label {name}", SetNode(heir, self.ours, name, was.get(name, NodeSpec()), wanted)
            )
            for name, wanted in self.change.pinned.items()
            if was.get(name) != wanted or name in self.change.undressed | joining.keys()
        ]

    def departures(self) -> list[Step]:
        alive = [leaver for leaver in self.change.leavers if not leaver.dead]
        heir, ours = self.change.heir, self.ours
        return _departures(self.change, alive, self.arrived, heir, ours, self.forgotten)

    def metallb(self) -> list[Step]:
        """Its pools as they should be; all of it anew where an earlier change was cut off."""
        was, wanted = self.change.record.spec.metallb_pools, self.change.wanted.metallb_pools
        settled = self.change.record.phase is RecordPhase.SETTLED
        heir, ours = self.change.heir, self.ours
        if self.change.one or (was == wanted and settled):
            return []
        if not wanted:
            there = self.change.record.may_have_metallb
            return [self._step("remove metallb", RemoveMetalLB(heir, ours))] if there else []
        if was and settled:
            return [self._step("metallb pools", ConfigureMetalLB(heir, ours, wanted))]
        return [self._step("metallb", ApplyMetalLB(heir, ours, wanted))]


def _departures(
    change: Change,
    leavers: Iterable[Leaver],
    before: frozenset[StepName],
    through: ServerName,
    ours: Ownership,
    first: frozenset[StepName] = frozenset(),
) -> list[Step]:
    """Ways out, workers' side by side and control planes' one after the other, after `first`."""
    steps: list[Step] = []
    turn = before | first
    for leaver in leavers:
        is_worker = leaver.role is Role.WORKER
        its = _departure(change, leaver, before if is_worker else turn, through, ours)
        steps += its
        if not is_worker:
            turn = before | first | {its[-1].name}
    return steps


def _departure(
    change: Change,
    leaver: Leaver,
    before: frozenset[StepName],
    through: ServerName,
    ours: Ownership,
) -> list[Step]:
    """One server's way out, each step after the one before, the API reached `through` a control
    plane where our claim is `ours`.
    """
    name, policy = leaver.name, change.wanted.drain
    chain: list[tuple[StepName, Action]] = []
    if leaver.claim is not None and leaver.has_node and not leaver.lost:
        drain = Drain(through, ours, (name,), policy.timeout_seconds, _budgets(policy))
        chain.append((f"drain {name}", drain))
    if leaver.claim is not None:
        its = leaver.claim.ownership
        chain.append((f"leave {name}", SetPhase(name, its, Phase.LEAVING)))
        if leaver.role is Role.CONTROL_PLANE and leaver.joined and not leaver.lost:
            chain.append((f"step down {name}", StepDown(name, its)))
    if leaver.role is Role.CONTROL_PLANE:  # also one that joined since it was looked at
        address = change.record.members[name].address
        leave_etcd = RemoveEtcdMember(through, ours, name, address=address)
        chain.append((f"leave etcd {name}", leave_etcd))
    if leaver.claim is not None:
        vip = change.wanted.control_plane.endpoint.vip
        chain.append((f"reset {name}", Reset(name, leaver.claim.ownership, vip)))
    chain.append((forget_step(name), DeleteNode(through, ours, name)))
    steps: list[Step] = []
    for title, action in chain:
        steps.append(Step(title, name, action, before))
        before = before | {title}
    return steps


def _budgets(policy: DrainPolicy) -> Budgets:
    return Budgets.RESPECTED if policy.on_timeout is OnTimeout.FAIL else Budgets.UNTIL_TIMEOUT
