"""Rung: the pods' network. A settled cluster has it; of any other that is unknown."""

from __future__ import annotations

from rpool.decide.plan.case import Case
from rpool.model.action import ApplyNetwork
from rpool.model.cni import NO_CNI
from rpool.model.step import Step, StepName


def install(case: Case, opened: frozenset[StepName]) -> list[Step]:
    networking, via = case.spec.networking, case.via
    unknown = case.record.settled is None and case.desired.one is None
    if networking.cni == NO_CNI or not unknown:
        return []
    api = case.spec.control_plane.endpoint.host_and_port
    apply = ApplyNetwork(via, case.ours(via), networking.pod_cidr, networking.cni, api)
    return [Step(apply, needs=opened)]
