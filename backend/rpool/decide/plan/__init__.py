"""The ladder: from what is desired and what was observed to the steps that are left. Pure.

Each rung is a small module that answers one question; this module is their table of contents. A
create, a change, a destroy, an rpool_node put in or taken out, and what is left of any of them are
all a `Desired`, and are planned on the same ladder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rpool.decide.plan import departures, etcd, invariants, mend, metallb, network, nodes, record
from rpool.decide.plan.arrivals import HalfOut, not_claimed, not_ready
from rpool.decide.plan.bring_up import BringUp, claims
from rpool.decide.plan.case import Case
from rpool.decide.plan.departures import not_drained
from rpool.errors import RpoolError
from rpool.model.action import RemoveEtcdMember, SetPhase
from rpool.model.claim import Phase
from rpool.model.desired import Desired, Operation
from rpool.model.observed import Observed
from rpool.model.server import Fleet
from rpool.model.step import Step, StepName, names

__all__ = ["Case", "HalfOut", "Plan", "not_claimed", "not_drained", "not_ready", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The `steps` that are left to do. `blocked` says why the rest cannot be done now; while it
    holds anything, the steps do not settle the cluster. `goes_on`: another plan has to follow.
    """

    steps: tuple[Step, ...]
    blocked: tuple[RpoolError, ...] = ()
    goes_on: bool = False


def plan(desired: Desired, pool: Observed, operation: Operation, fleet: Fleet) -> Plan:
    """The steps that are left to do. Raises an RpoolError where nothing at all can be done."""
    case = Case(desired, pool, operation, fleet)
    if desired.is_nobody:
        return _take_down(case)
    case.check_preflight()
    for error in case.in_the_way.values():
        if isinstance(error, HalfOut):
            raise error

    claimed = claims(case)
    dead = departures.of_the_dead(case, claimed)
    strays, strangers = etcd.repair(case, names(dead))
    dead += strays
    half_in = departures.of_the_half_in(case, names(dead))
    mended = mend.restarts(case)
    # Servers that join need not wait for these resets, only for learners to leave etcd.
    out = names([*dead, *(step for step in half_in if isinstance(step.action, RemoveEtcdMember))])
    up = BringUp(case, claimed, out | names(mended))
    pods = network.install(case, up.opened)
    waits = up.readiness(up.opened | names(pods), _awaited(case))
    arrivals = [*up.steps, *pods, *waits, *nodes.uncordon(case)]
    arrived = names(arrivals)
    addresses = metallb.reconcile(case, up.opened if case.record.settled is None else arrived)
    labels = nodes.label(case, arrived)
    first = [*claimed.values(), *dead, *half_in, *mended]
    dns = network.spread_dns(case, names(waits))
    revoked = up.revoke()
    inside = [*first, *arrivals, *addresses, *labels, *dns, *revoked]
    # Everything done through a control plane is done before that control plane leaves.
    arrived |= names([*mended, *addresses, *labels, *dns, *revoked])
    living, refused = departures.of_the_living(case, arrived, out)

    blocked = (*case.in_the_way.values(), *refused, *strangers)
    goes_on = bool(case.leaving_to_come_again)
    steps = _recorded(case, [*inside, *living], up.opened, settles=not (blocked or goes_on))
    invariants.check(steps, case)
    return Plan(tuple(steps), blocked, goes_on)


def _awaited(case: Case) -> list[str]:
    """The servers whose Nodes must be Ready: those that join. In a cluster that was never settled
    no Node is known to have a network, so all servers are awaited.
    """
    if case.record.settled is not None or case.desired.one is not None:
        return list(case.coming)
    not_now = case.in_the_way.keys() | case.leaving_to_come_again
    return [n for n in case.desired.roles if case.concerns(n) and n not in not_now]


def _recorded(
    case: Case, steps: list[Step], opened: frozenset[StepName], *, settles: bool
) -> list[Step]:
    """The steps between the record that begins them and the record that settles them.

    Where an API serves, nothing starts before the record names the servers that may be claimed.
    Where none serves, claims come first, but no claim becomes a member's before a record exists.
    So members without a record have lost it; they are not what a create has left.
    """
    begin = record.begin(case, needs=() if case.api_serves else opened) if steps else []
    if begin:
        at = 0 if case.api_serves else _after(steps, opened)
        later = (_once(step, begin, case) for step in steps[at:])
        steps = [*steps[:at], *begin, *later]
    if not settles:
        return steps
    return [*steps, *record.settle(case, names(steps), begun=bool(begin))]


def _after(steps: list[Step], opened: frozenset[StepName]) -> int:
    return max((i for i, step in enumerate(steps, start=1) if step.name in opened), default=0)


def _once(step: Step, begin: list[Step], case: Case) -> Step:
    """The step, made to wait for the record that begins the operation where it must."""
    is_member = isinstance(step.action, SetPhase) and step.action.phase is Phase.MEMBER
    return replace(step, needs=step.needs | names(begin)) if case.api_serves or is_member else step


def _take_down(case: Case) -> Plan:
    begin = record.begin(case) if case.api_serves and case.pool.record is not None else []
    return Plan((*begin, *departures.of_everybody(case, names(begin))))
