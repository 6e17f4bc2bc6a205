"""Rung: MetalLB and its address pools."""

from __future__ import annotations

from rpool.decide.plan.case import Case
from rpool.model.action import Action, ApplyMetalLB, ConfigureMetalLB, RemoveMetalLB
from rpool.model.step import Step, StepName


def reconcile(case: Case, needs: frozenset[StepName]) -> list[Step]:
    """The step that sets MetalLB's pools as desired. MetalLB itself is applied again where an
    earlier operation was cut off. A MetalLB that is not ours is left alone.
    """
    action = None if case.desired.one else _action(case)
    return [] if action is None else [Step(action, needs=needs)]


def _action(case: Case) -> Action | None:
    record, through, wanted = case.record, case.through, case.spec.metallb_pools
    settled = record.settled.metallb_pools if record.settled and record.is_settled else None
    if wanted == settled or (settled is None and not wanted and not _may_be_there(case)):
        return None
    ours = case.ours(through)
    if not wanted:
        return RemoveMetalLB(through, ours)
    return (
        ConfigureMetalLB(through, ours, wanted) if settled else ApplyMetalLB(through, ours, wanted)
    )


def _may_be_there(case: Case) -> bool:
    """Whether our MetalLB may be there although the settled record has none."""
    specs = (case.record.settled, case.record.wanted)
    named = any(spec.metallb_pools for spec in specs if spec is not None)
    return named or (case.pool.api is not None and case.pool.api.cluster.metallb)
