"""Changing a cluster that serves: bigger, smaller, other, and finishing what was cut off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from rpool.advice import Do
from rpool.attempt import Attempt, NoApi, PoolIncomplete
from rpool.decide.believed import false_members
from rpool.decide.health import NO_REPAIRS, Ailing, Repairs, Verdict, ailing
from rpool.decide.membership import Membership, Part
from rpool.decide.repair import repairing, unrepaired
from rpool.errors import RpoolError, StalePlan
from rpool.flow.failures import note_unfit
from rpool.flow.neighbours import refuse_new_ranges
from rpool.flow.observe import Eye
from rpool.flow.preflight import refused, unfit
from rpool.flow.reconcile import Goal, at_work
from rpool.flow.recover import recover
from rpool.model.action import Mend, TakeClaim
from rpool.model.cni import NO_CNI
from rpool.model.desired import Desired
from rpool.model.observed import Observed
from rpool.model.pool import DEFAULT_GROUP, PoolSpec
from rpool.model.record import Member
from rpool.model.server import Fleet, Role, Roles, ServerName
from rpool.model.step import Ran, Step
from rpool.model.view import Condition, PoolView
from rpool.model.world import World


def change(
    prior: PoolView,
    wanted: PoolSpec,
    roles: Roles,
    fleet: Fleet,
    world: World,
    attempt: Attempt,
    will_be: Mapping[str, PoolSpec] = MappingProxyType({}),
    repairs: Repairs = NO_REPAIRS,
    recover_from: ServerName | None = None,
    groups: Mapping[ServerName, str] = MappingProxyType({}),
) -> PoolView:
    """Change the cluster to `wanted`, its own servers to exactly those in `roles`; returns it.
    `will_be`: what other clusters, by name, are changed to meanwhile. `repairs`: what was planned
    about members that are not well. They are looked at again: nothing is done to one that is well
    by now. `recover_from`: the control plane from whose data etcd is made anew, should no API
    answer. `groups`: in which group each is that is not in the default one.

    A server that cannot join or cannot leave does not keep the others from it. Raises Unreachable,
    Refused or StalePlan when nothing was changed, PoolIncomplete, with the cluster as it is then,
    once anything may have been.
    """

    def want(members: Membership) -> Desired:
        _refuse_if_others_changed(members, prior, roles)
        was = members.record.spec
        refuse_new_ranges(prior.uid, was, wanted, fleet, world, attempt, will_be)
        pinned = members.record.pinned
        everybody = {**roles, **dict.fromkeys(pinned, Role.WORKER)}
        desired = Desired(prior.uid, wanted, everybody, pinned, groups=groups)
        return repairing(desired, members, repairs)

    also = repairs.returned & fleet.servers.keys()
    goal = Change(prior, fleet, world, wanted, wish=want, recover_from=recover_from, also=also)
    view = carry_through(goal, attempt)
    if left := goal.unrepaired(repairs):
        raise PoolIncomplete(left, replace(view, condition=Condition.DEGRADED))
    return view


@dataclass
class Change(Eye, Goal):
    """What is desired of a cluster that has a record."""

    wish: Callable[[Membership], Desired] = field(kw_only=True)
    recover_from: ServerName | None = None
    desired: Desired | None = field(default=None, init=False)
    # Whom a restart has not helped.
    anew: frozenset[ServerName] = field(default=frozenset(), init=False)
    # How those were that were not well at the last look, and may be so in the end.
    ailing: Sequence[Ailing] = field(default=(), init=False)
    inspected: set[ServerName] = field(default_factory=set, init=False)

    def want(self, pool: Observed) -> Desired:
        members = self._without_the_dead(self.members(pool))
        # Of a cluster that was never made to its end all Nodes are awaited: none is left unwell.
        awaited = members.record.settled is None and members.record.spec.networking.cni != NO_CNI
        self.ailing = () if awaited else ailing(members)
        # One that has left comes again as any other does.
        self.anew = members.among(self.anew, Part.MEMBER, Part.LEAVING)
        desired = self.wish(members)
        given_up = desired.given_up | members.given_up
        self.desired = replace(desired, anew=self.anew, given_up=given_up)
        return self.desired

    def _without_the_dead(self, members: Membership) -> Membership:
        """Of those that were given up in an earlier round, who has left is not judged again."""
        before = self.desired.given_up if self.desired else frozenset()
        left = replace(members, given_up=before).among(before, Part.GONE)
        return replace(members, given_up=left)

    def replaces(self, ran: Ran) -> bool:
        """Whom a restart has not helped is taken apart and joins anew, but not the last one that
        runs a control plane.
        """
        roles = self.desired.roles if self.desired else {}
        alone = sum(role is Role.CONTROL_PLANE for role in roles.values()) == 1
        failed = {its.server for its, _ in ran.failed if isinstance(its.action, Mend)}
        failed -= {n for n in failed if alone and roles.get(n) is Role.CONTROL_PLANE}
        self.anew |= failed
        return bool(failed)

    def unrepaired(self, repairs: Repairs) -> RpoolError | None:
        """Why members that were planned to be repaired, or held, are not well still."""
        held = repairs.lost | repairs.mend | repairs.held.keys()
        roles = self.desired.roles if self.desired else {}
        mended = self.desired.mend if self.desired else frozenset()
        left = [its for its in self.ailing if its.name in held & roles.keys() - mended]
        left = [its for its in left if its.verdict is not Verdict.WAIT]
        return unrepaired(self.prior.name, left, repairs) if left else None

    def inspect(self, steps: Sequence[Step], pool: Observed, attempt: Attempt) -> None:
        """Each server once, before it is claimed."""
        assert self.desired is not None  # noqa: S101 the steps are its
        claimed = {step.server for step in steps if isinstance(step.action, TakeClaim)}
        claimed -= pool.claims.keys()  # what is half in uses its ports itself
        roles, spec = self.desired.roles, self.desired.spec
        joining = {n: roles[n] for n in sorted(claimed - self.inspected)}
        if not joining:
            return
        ready = {name for name, its in pool.nodes.items() if its.ready and name not in pool.silent}
        members = {
            name: its.role
            for name, its in self.members(pool).record.members.items()
            if name in ready & self.fleet.servers.keys() - joining.keys()
        }
        self.inspected |= claimed
        if found := unfit(spec, joining, members, self.world, attempt.warn):
            note_unfit(found, spec.name, self.world)
            summary = f"cluster {spec.name} cannot take the servers that were planned"
            raise refused(summary, found, [])

    def unseen(self) -> PoolView:
        """The servers of before, and those that may have been claimed since."""
        prior, servers = self.prior, self.fleet.servers
        roles = self.desired.roles if self.desired and self.one is None else {}
        pinned = self.desired.pinned if self.desired else {}
        group = self.desired.group if self.desired else lambda name: DEFAULT_GROUP
        new = {n: Member.of(servers[n], r, group(n)) for n, r in roles.items() if n not in pinned}
        return replace(prior, condition=Condition.INCOMPLETE, servers={**new, **prior.servers})


def carry_through(goal: Change, attempt: Attempt) -> PoolView:
    """The cluster once what is desired is so, under its session lock; see `change`."""
    prior, known = goal.prior, goal.prior.control_planes
    with at_work(prior.uid, prior.name, known, goal.fleet, goal.world, attempt) as run:
        goal.lock = run.lock
        try:
            pool = goal.look()
        except NoApi:
            if goal.recover_from is None:
                raise
            goal.anew = recover(prior, goal.recover_from, run)
            pool = goal.look()
        while run.lock.cover(goal.members(pool).to_lock):
            pool = goal.look()
        return run.reconcile(goal, pool)


def _refuse_if_others_changed(members: Membership, prior: PoolView, roles: Roles) -> None:
    """Raises StalePlan where servers came, left or changed their role since the plan."""
    pinned, whole = members.record.pinned, members.record.own
    false = false_members(members.record, members.pool.probes, prior.servers, members.fleet)
    there = {name for name in whole if members.part(name) is not Part.GONE} - false
    own = {name: whole[name] for name in there}
    changes = {
        "came": own.keys() - prior.servers.keys() - roles.keys(),
        "left": (prior.servers.keys() & roles.keys()) - whole.keys(),
        "became an rpool_node's": pinned.keys() & roles.keys(),
        "got another role": {n for n, m in own.items() if roles.get(n, m.role) != m.role},
    }
    said = [f"{', '.join(sorted(names))} {what}" for what, names in changes.items() if names]
    if said:
        raise StalePlan(
            f"cluster {prior.name} was changed by somebody else since the plan: {'; '.join(said)}",
            f"Nothing was changed. {Do.PLAN_AGAIN.text()}",
            taken=dict.fromkeys(pinned.keys() & roles.keys(), "in this cluster by an rpool_node"),
        )
