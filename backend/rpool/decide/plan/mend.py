"""Rung: members that answer but are not well are mended where they are."""

from __future__ import annotations

from rpool.decide.membership import Part
from rpool.decide.plan.case import Case
from rpool.model.action import Mend
from rpool.model.server import Role
from rpool.model.step import Step


def restarts(case: Case) -> list[Step]:
    """Restarts of container runtimes and kubelets, on control planes first, one after the other.
    Members that a restart did not help leave and rejoin instead.
    """
    names = case.members.among(case.desired.mend - case.desired.anew, Part.MEMBER)
    planes = sorted(name for name in names if case.role_now(name) is Role.CONTROL_PLANE)
    steps: list[Step] = []
    for name in [*planes, *sorted(names - set(planes))]:
        needs = frozenset({steps[-1].name}) if steps and name in planes else frozenset()
        steps.append(Step(Mend(name, case.ours(name)), name, needs))
    return steps
