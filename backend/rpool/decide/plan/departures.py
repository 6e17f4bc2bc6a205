"""Rung: servers leave. They are drained, taken out of etcd, reset, verified clean, and forgotten.

Workers leave in parallel, control planes one at a time, each with the proof that etcd keeps its
quorum. Dead servers leave before others join; those that are given up, once their replacements are
claimed. Half-joined servers leave first, too: they hold nothing that must be replaced, and if each
stayed until another had joined, a mirror that is down would cost the site its spares. Living
servers leave once all that join are Ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rpool.advice import Do
from rpool.decide.membership import Part
from rpool.decide.plan.arrivals import unclaimed
from rpool.decide.plan.case import Case
from rpool.decide.quorum import not_removed, why_not_remove
from rpool.errors import CommandFailed, NotDrained, NotInFleet, Refused, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.pool import OnTimeout
from rpool.model.seen import EtcdMember
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName, names

LAST_DRAIN_SECONDS = 120
"""The drain of a cluster that is destroyed takes no longer: its pods have nowhere to go."""

DRAIN_TO_MEND_SECONDS = 30
"""The drain of a member that leaves to be mended: long NotReady, its pods no longer count."""


@dataclass(frozen=True)
class _Leaver:
    case: Case
    name: ServerName

    @property
    def claim(self) -> Claim | None:
        """The cluster's claim on the server. Nothing is done on a server without it."""
        return self.case.pool.claim(self.name)

    @property
    def role(self) -> Role:
        return self.case.role_now(self.name)

    @property
    def is_control_plane(self) -> bool:
        return self.role is Role.CONTROL_PLANE

    @property
    def comes_again(self) -> bool:
        """Whether it leaves to be mended and rejoin: what no longer works there blocks nothing."""
        return self.name in self.case.leaving_to_come_again

    @property
    def is_marked(self) -> bool:
        return self.name in self.case.members.lost

    @property
    def is_dead(self) -> bool:
        """Whether nothing of the cluster runs there: a worker that is silent and marked lost, or a
        control plane whose member of etcd does not answer.
        """
        silent = self.name in self.case.pool.silent
        if not self.is_control_plane:
            return self.is_marked and silent
        member = self.case.members.etcd_member(self.name)
        is_certain = self.is_marked or not (silent or self.claim)
        return member is not None and not member.healthy and is_certain

    @property
    def is_half_in(self) -> bool:
        return self.case.members.is_half_in(self.name)

    @property
    def stuck(self) -> str:
        """How its disk is unwritable ("full", say), where our claim stays on it; else ""."""
        probed = self.case.pool.probed(self.name)
        return probed.unwritable if probed is not None and self.claim else ""

    def why_not(self) -> RpoolError | None:
        part = self.case.members.part(self.name)
        if self.stuck:
            what = "has not joined" if self.is_half_in else "is to leave"
            return not_given_back(self.name, what, self.stuck)
        if part is Part.UNCLAIMED:
            return unclaimed(self.name, self.case.spec.name)
        if part is not Part.SILENT:
            return None
        why = self.case.pool.silent[self.name]
        absent = isinstance(why, NotInFleet)
        advice = why.detail if absent else Do.BRING_BACK.text(servers=self.name)
        summary = f"{self.name} is to leave, but cannot be reached"
        return Unreachable(summary, f"{why.summary}. {advice}")

    def actions(self, through: ServerName) -> Iterable[act.Action]:
        """The actions by which it leaves, in order, `through` a control plane's API. Without an API
        only the server itself is changed.
        """
        case, name, claim = self.case, self.name, None if self.stuck else self.claim
        api = case.api_serves
        ours = case.ours(through)
        if api and claim and name in case.pool.nodes and self.comes_again:
            yield act.Drain(through, ours, (name,), DRAIN_TO_MEND_SECONDS, act.Budgets.IGNORED)
        elif api and claim and name in case.pool.nodes and not self.is_marked:
            evicts = case.spec.drain.on_timeout is OnTimeout.EVICT_ANYWAY
            budgets = act.Budgets.UNTIL_TIMEOUT if evicts else act.Budgets.RESPECTED
            yield act.Drain(through, ours, (name,), case.spec.drain.timeout_seconds, budgets)
        if claim:
            yield act.SetPhase(name, claim.ownership, Phase.LEAVING)
            if self.is_control_plane and case.pool.has_joined(name) and not self.is_marked:
                yield act.StepDown(name, claim.ownership)
        if api and self.is_control_plane:  # it may have joined since it was observed
            server = case.fleet.servers.get(name)
            address = server.address if server else ""
            yield act.RemoveEtcdMember(through, ours, name, address=address)
        if claim:
            yield act.Reset(name, claim.ownership, case.spec.control_plane.endpoint.vip)
        if api:
            yield act.DeleteNode(through, ours, name)


def not_given_back(name: ServerName, what: str, disk: str) -> Refused:
    """The error of a server whose disk cannot be written; `what` says what was planned for it."""
    return Refused(
        f"{name} {what}, and cannot be given back: its disk is {disk}",
        f"It keeps its claim. {Do.MEND_DISK.text()}",
    )


def not_drained(action: act.Drain, why: RpoolError) -> RpoolError:
    """The error of a failed drain, about the server that stays, not the control plane that was
    used. Any other error is returned as it is.
    """
    if not isinstance(why, CommandFailed):
        return why
    name = ", ".join(action.nodes)
    summary = f"{name} could not be drained"
    if not isinstance(why, NotDrained):
        reason = f"{why.summary}\n{why.detail}".rstrip()
        return CommandFailed(summary, f"{reason}\n{name} stays a member. {Do.AGAIN.text()}")
    respected = action.budgets is act.Budgets.RESPECTED
    advice = Do.LET_DRAIN.text() if respected else Do.AGAIN.text()
    detail = f"{why.detail}\n{name} stays a member. {advice}"
    return NotDrained(f"{summary} within {action.timeout_seconds} s", detail.lstrip())


def _leavers(case: Case) -> list[_Leaver]:
    return [_Leaver(case, name) for name in case.going]


def of_the_dead(case: Case, claims: Mapping[ServerName, Step]) -> list[Step]:
    """The steps by which dead servers leave. One that is given up waits for all claims of its role,
    so that it is still a member if another cluster claims its replacement first.
    """
    roles, given_up = case.desired.roles, case.desired.given_up
    dead = [leaver for leaver in _leavers(case) if leaver.is_dead and leaver.why_not() is None]
    steps: list[Step] = []
    for role in (Role.WORKER, Role.CONTROL_PLANE):
        marked = [leaver for leaver in dead if leaver.role is role and leaver.name not in given_up]
        others = [
            leaver for leaver in dead if leaver.role is role and leaver.name in given_up - case.kept
        ]
        at_once = _ways_out(marked, case.through, frozenset(), frozenset())
        claimed = names(step for name, step in claims.items() if roles[name] is role)
        steps += [*at_once, *_ways_out(others, case.through, claimed, names(at_once))]
    return steps


def of_the_half_in(case: Case, dead: frozenset[StepName]) -> list[Step]:
    """The steps by which half-joined servers leave, control planes after the `dead`."""
    half_in = [leaver for leaver in _leavers(case) if leaver.is_half_in]
    return _ways_out(half_in, case.through, frozenset(), dead)


def of_the_living(
    case: Case, arrived: frozenset[StepName], dead: frozenset[StepName]
) -> tuple[list[Step], list[RpoolError]]:
    """The steps by which living servers leave, and why others cannot. There are no steps while a
    server that is to join cannot.
    """
    leavers, refused = _living(case)
    if case.in_the_way or not leavers:
        return [], refused
    return _ways_out(leavers, case.then_through, arrived, dead), refused


def _living(case: Case) -> tuple[list[_Leaver], list[RpoolError]]:
    """Living servers that can leave, and why others cannot. Quorum counts only where some leave."""
    can: list[_Leaver] = []
    refused: list[RpoolError] = []
    etcd = _members_then(case)
    for leaver in _leavers(case):
        why = leaver.why_not()
        if why is None and (leaver.is_half_in or leaver.is_dead):
            continue
        if why is None and leaver.is_control_plane and case.api_serves and not case.in_the_way:
            why = _why_quorum(leaver.name, etcd)
        if why is not None:
            refused.append(why)
            continue
        can.append(leaver)
        etcd = etcd and [member for member in etcd if member.name != leaver.name]
    return can, refused


def _members_then(case: Case) -> list[EtcdMember] | None:
    """etcd's members after the servers that leave first and those that join; None if unknown."""
    if case.pool.etcd is None:
        return None
    dead = {
        leaver.name
        for leaver in _leavers(case)
        if leaver.is_dead or case.members.is_half_in(leaver.name)
    }
    known = {*case.record.of(Role.CONTROL_PLANE), *case.going_control_planes} - dead - case.gone
    remaining = [member for member in case.pool.etcd if member.healthy or member.name in known]
    new = set(case.coming_control_planes) - {member.name for member in remaining}
    return [*remaining, *(EtcdMember(name, name, votes=True, healthy=True) for name in sorted(new))]


def _why_quorum(name: ServerName, etcd: list[EtcdMember] | None) -> RpoolError | None:
    if etcd is None:
        return Unreachable(
            f"{name} was not removed from etcd: its members are unknown",
            f"Whether the rest would keep quorum is unknown. {Do.AGAIN.text()}",
        )
    why = next((why_not_remove(etcd, member) for member in etcd if member.name == name), None)
    return not_removed(name, why, etcd) if why else None


def _ways_out(
    leavers: Iterable[_Leaver],
    through: ServerName,
    before: frozenset[StepName],
    first: frozenset[StepName],
) -> list[Step]:
    """Workers leave in parallel, control planes one after the other and after `first`."""
    steps: list[Step] = []
    turn = before | first
    for leaver in leavers:
        needs = turn if leaver.is_control_plane else before
        for action in leaver.actions(through):
            gentle = leaver.comes_again and isinstance(action, act.Drain | act.StepDown)
            steps.append(Step(action, leaver.name, needs, optional=gentle))
            needs |= names(steps[-1:])
            if leaver.is_control_plane:
                turn = before | first | names(steps[-1:])
    return steps


def of_everybody(case: Case, begun: frozenset[StepName]) -> list[Step]:
    """Steps that destroy the cluster: a drain while there is an API, then all claims move to phase
    leaving, then all servers are reset at once. Without etcd's quorum the record cannot be read, so
    a destroy that was cut off is known by its claims: none is in phase member any more. A failure
    on one server does not keep others from their resets.
    """
    claims = case.pool.claims
    steps: list[Step] = []
    nodes = tuple(name for name in case.pool.nodes if name in claims)
    if nodes:
        through, ours = case.through, case.ours(case.through)
        drain = act.Drain(through, ours, nodes, LAST_DRAIN_SECONDS, act.Budgets.IGNORED)
        steps.append(Step(drain, after=begun))
    before = begun | names(steps)
    leave = {
        name: Step(act.SetPhase(name, claim.ownership, Phase.LEAVING), name, after=before)
        for name, claim in claims.items()
    }
    vip = case.spec.control_plane.endpoint.vip
    resets = [
        Step(
            act.Reset(name, claim.ownership, vip), name, names([leave[name]]), names(leave.values())
        )
        for name, claim in claims.items()
    ]
    return [*steps, *leave.values(), *resets]
