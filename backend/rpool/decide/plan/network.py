"""Rung: the pods' network and DNS. A settled cluster has them; any other may not."""

from __future__ import annotations

from rpool.decide.plan.case import Case
from rpool.model.action import ApplyNetwork, SpreadDns
from rpool.model.cni import NO_CNI
from rpool.model.step import Step, StepName


def install(case: Case, opened: frozenset[StepName]) -> list[Step]:
    networking, through = case.spec.networking, case.through
    unknown = case.record.settled is None and case.desired.one is None
    if networking.cni == NO_CNI or not unknown:
        return []
    api = case.spec.control_plane.endpoint.host_and_port
    apply = ApplyNetwork(through, case.ours(through), networking.pod_cidr, networking.cni, api)
    return [Step(apply, needs=opened)]


def spread_dns(case: Case, ready: frozenset[StepName]) -> list[Step]:
    """Moves one of the DNS servers off the first server, which was alone when they started."""
    was_alone = case.record.settled is None or len(case.record.members) == 1
    first_is_awaited = case.record.settled is None  # as all others
    if not was_alone or len(ready) <= first_is_awaited:
        return []
    return [Step(SpreadDns(case.through, case.ours(case.through)), needs=ready)]
