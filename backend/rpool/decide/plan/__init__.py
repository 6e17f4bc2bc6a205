"""The ladder: from what is desired and what was observed to the steps that are left. Pure.

Each rung is a small module that answers one question, and this module is their table of contents.
A create, a change, a destroy, an rpool_node put in or taken out, and what was left of any of them:
all are a `Desired`, and go the same way down.
"""

from __future__ import annotations

from dataclasses import dataclass

from rpool.decide.plan import departures, etcd, invariants, metallb, network, nodes, record
from rpool.decide.plan.arrivals import HalfOut, not_to_be_had
from rpool.decide.plan.bring_up import BringUp
from rpool.decide.plan.case import Case
from rpool.errors import RpoolError
from rpool.model.desired import Desired, Operation
from rpool.model.observed import Observed
from rpool.model.server import Fleet
from rpool.model.step import Step, StepName

__all__ = ["Case", "HalfOut", "Plan", "not_to_be_had", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps` are what is left to do. `blocked` says what cannot be done now, and why: then the
    steps do not settle the cluster.
    """

    steps: tuple[Step, ...]
    blocked: tuple[RpoolError, ...] = ()


def plan(desired: Desired, pool: Observed, operation: Operation, fleet: Fleet) -> Plan:
    """What is left to do. Raises RpoolErrors where nothing at all can be done."""
    case = Case(desired, pool, operation, fleet)
    if desired.is_nobody:
        return _take_down(case)
    case.check_preflight()
    if half_out := [error for error in case.in_the_way if isinstance(error, HalfOut)]:
        raise half_out[0]

    dead = departures.of_the_dead(case)
    strays, strangers = etcd.repair(case, _names(dead))
    dead += strays
    up = BringUp(case, _names(dead))
    pods = network.install(case, up.opened)
    waits = up.readiness(up.opened | _names(pods), _awaited(case))
    arrivals = [*up.steps, *pods, *waits, *nodes.uncordon(case)]
    arrived = _names(arrivals)
    addresses = metallb.reconcile(case, up.opened if case.record.settled is None else arrived)
    labels = nodes.label(case, arrived)
    inside = [*dead, *arrivals, *addresses, *labels, *up.revoke()]
    living = departures.of_the_living(case, _names([*arrivals, *addresses, *labels]), _names(dead))

    blocked = (*case.in_the_way, *departures.errors(case), *strangers)
    steps = _recorded(case, [*inside, *living], up.opened, settles=not blocked)
    invariants.check(steps, case)
    return Plan(tuple(steps), blocked)


def _names(steps: list[Step]) -> frozenset[StepName]:
    return frozenset(step.name for step in steps)


def _awaited(case: Case) -> list[str]:
    """The servers that come are waited for. Of a cluster that was never settled it is not known
    that its Nodes have a network, so all of them are.
    """
    if case.record.settled is not None or case.desired.one is not None:
        return list(case.coming)
    going = set(case.going)
    return [n for n in case.desired.roles if case.concerns(n) and n not in going]


def _recorded(
    case: Case, steps: list[Step], opened: frozenset[StepName], *, settles: bool
) -> list[Step]:
    """The steps between the record that begins them and the one that settles them. Where there is
    an API, nothing starts before the record names whoever may be claimed; else the claims do.
    """
    begin = record.begin(case, needs=() if case.api_serves else opened) if steps else []
    if begin and case.api_serves:
        steps = [*begin, *(_after(step, begin[0].name) for step in steps)]
    else:
        steps = [*steps, *begin]
    if not settles:
        return steps
    return [*steps, *record.settle(case, _names(steps), begun=bool(begin))]


def _after(step: Step, name: StepName) -> Step:
    return Step(step.action, step.about, step.needs | {name}, step.after, step.verb)


def _take_down(case: Case) -> Plan:
    begin = record.begin(case) if case.pool.api is not None and case.pool.record is not None else []
    return Plan((*begin, *departures.of_everybody(case, _names(begin))))
