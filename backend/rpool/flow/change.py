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
    for members that are not well; these are observed again, and nothing is done to one that is
    well by now. `recover_from`: the control plane with the data to rebuild etcd from, should no
    API answer. `groups`: the group of each server that is not in the default one.

    A server that cannot join or leave does not keep others from it. Raises Unreachable, Refused or
    StalePlan when nothing was changed. Once anything may have been, raises PoolIncomplete with the
    cluster as it is then.
    """

    def want(members: Membership) -> Desired:
        _refuse_if_others_changed(members, prior, roles)
        current = members.record.spec
        refuse_new_ranges(prior.uid, current, wanted, fleet, world, attempt, will_be)
        pinned = members.record.pinned
        all_roles = {**roles, **dict.fromkeys(pinned, Role.WORKER)}
        desired = Desired(prior.uid, wanted, all_roles, pinned, groups=groups)
        return repairing(desired, members, repairs)

    also = repairs.returned & fleet.servers.keys()
    goal = Change(prior, fleet, world, wanted, wish=want, recover_from=recover_from, also=also)
    view = carry_through(goal, attempt)
    if problem := goal.unrepaired(repairs):
        raise PoolIncomplete(problem, replace(view, condition=Condition.DEGRADED))
    return view


@dataclass
class Change(Eye, Goal):
    """What is desired of a cluster that has a record."""

    wish: Callable[[Membership], Desired] = field(kw_only=True)
    recover_from: ServerName | None = None
    desired: Desired | None = field(default=None, init=False)
    # Members that a restart has not helped.
    anew: frozenset[ServerName] = field(default=frozenset(), init=False)
    # Members that were not well when last observed, and may stay so.
    ailing: Sequence[Ailing] = field(default=(), init=False)
    inspected: set[ServerName] = field(default_factory=set, init=False)

    def want(self, pool: Observed) -> Desired:
        members = self._without_the_dead(self.members(pool))
        # Until a create has ended, all Nodes are waited for: none is left unwell.
        awaited = members.record.settled is None and members.record.spec.networking.cni != NO_CNI
        self.ailing = () if awaited else ailing(members)
        # A server that has left joins again as any other does.
        self.anew = members.among(self.anew, Part.MEMBER, Part.LEAVING)
        desired = self.wish(members)
        given_up = desired.given_up | members.given_up
        self.desired = replace(desired, anew=self.anew, given_up=given_up)
        return self.desired

    def _without_the_dead(self, members: Membership) -> Membership:
        """`members`; a server that was given up in an earlier round, and has left, stays so."""
        before = self.desired.given_up if self.desired else frozenset()
        gone = replace(members, given_up=before).among(before, Part.GONE)
        return replace(members, given_up=gone)

    def replaces(self, ran: Ran) -> bool:
        """Returns True if some members are to be reset and to join anew, since a restart has not
        helped them. The only control plane is never one of them.
        """
        roles = self.desired.roles if self.desired else {}
        alone = sum(role is Role.CONTROL_PLANE for role in roles.values()) == 1
        failed = {step.server for step, _ in ran.failed if isinstance(step.action, Mend)}
        failed -= {n for n in failed if alone and roles.get(n) is Role.CONTROL_PLANE}
        self.anew |= failed
        return bool(failed)

    def unrepaired(self, repairs: Repairs) -> RpoolError | None:
        """Why members that were to be repaired, or held, are still not well; None if all are."""
        held = repairs.lost | repairs.mend | repairs.held.keys()
        roles = self.desired.roles if self.desired else {}
        mended = self.desired.mend if self.desired else frozenset()
        unwell = [member for member in self.ailing if member.name in held & roles.keys() - mended]
        unwell = [member for member in unwell if member.verdict is not Verdict.WAIT]
        return unrepaired(self.prior.name, unwell, repairs) if unwell else None

    def inspect(self, steps: Sequence[Step], pool: Observed, attempt: Attempt) -> None:
        """Inspect each server once, before it is claimed."""
        assert self.desired is not None  # noqa: S101 the steps come from it
        claimed = {step.server for step in steps if isinstance(step.action, TakeClaim)}
        claimed -= pool.claims.keys()  # a claimed server may use its ports itself
        roles, spec = self.desired.roles, self.desired.spec
        joining = {n: roles[n] for n in sorted(claimed - self.inspected)}
        if not joining:
            return
        ready = {
            name for name, node in pool.nodes.items() if node.ready and name not in pool.silent
        }
        members = {
            name: member.role
            for name, member in self.members(pool).record.members.items()
            if name in ready & self.fleet.servers.keys() - joining.keys()
        }
        self.inspected |= claimed
        if findings := unfit(spec, joining, members, self.world, attempt.warn):
            note_unfit(findings, spec.name, self.world)
            summary = f"cluster {spec.name} cannot take the servers that were planned"
            raise refused(summary, findings, [])

    def unseen(self) -> PoolView:
        """The cluster as before, with the servers that may have been claimed since."""
        prior, servers = self.prior, self.fleet.servers
        roles = self.desired.roles if self.desired and self.one is None else {}
        pinned = self.desired.pinned if self.desired else {}
        group = self.desired.group if self.desired else lambda name: DEFAULT_GROUP
        new = {n: Member.of(servers[n], r, group(n)) for n, r in roles.items() if n not in pinned}
        return replace(prior, condition=Condition.INCOMPLETE, servers={**new, **prior.servers})


def carry_through(goal: Change, attempt: Attempt) -> PoolView:
    """Reconcile the cluster under its session lock; returns it as it is then. See `change`."""
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
    pinned, recorded = members.record.pinned, members.record.own
    false = false_members(members.record, members.pool.probes, prior.servers, members.fleet)
    present = {name for name in recorded if members.part(name) is not Part.GONE} - false
    own = {name: recorded[name] for name in present}
    changes = {
        "came": own.keys() - prior.servers.keys() - roles.keys(),
        "left": (prior.servers.keys() & roles.keys()) - recorded.keys(),
        "became an rpool_node's": pinned.keys() & roles.keys(),
        "got another role": {n for n, m in own.items() if roles.get(n, m.role) != m.role},
    }
    differences = [f"{', '.join(sorted(names))} {what}" for what, names in changes.items() if names]
    if differences:
        raise StalePlan(
            f"cluster {prior.name} was changed by somebody else since the plan: "
            f"{'; '.join(differences)}",
            f"Nothing was changed. {Do.PLAN_AGAIN.text()}",
            taken=dict.fromkeys(pinned.keys() & roles.keys(), "in this cluster by an rpool_node"),
        )
