"""Rung: labels and taints of Nodes, and the end of cordons that an earlier operation left."""

from __future__ import annotations

from rpool.decide.membership import Part
from rpool.decide.plan.case import Case
from rpool.model.action import SetNode, Uncordon
from rpool.model.pool import NodeSpec
from rpool.model.seen import NodeSeen
from rpool.model.step import Step, StepName


def uncordon(case: Case) -> list[Step]:
    """Uncordons members that an earlier operation had begun to drain, and that stay after all."""
    via, nodes = case.via, case.pool.nodes
    return [
        Step(Uncordon(via, case.ours(via), name), name)
        for name in sorted(case.desired.roles)
        if case.concerns(name) and name in nodes and nodes[name].let_go
        if case.members.part(name) is Part.MEMBER or name in case.coming
    ]


def label(case: Case, arrived: frozenset[StepName]) -> list[Step]:
    """Labels and taints members that lack these, or that are to have others than before."""
    via, pool = case.via, case.pool
    steps = []
    for name in case.desired.roles:
        wanted, was = case.desired.node(name), case.record.pinned.get(name, NodeSpec())
        new = name in case.coming and wanted != NodeSpec()
        lacks = case.concerns(name) and name in pool.nodes and not _has(pool.nodes[name], wanted)
        stays = name in case.coming or name in pool.nodes
        if stays and (was != wanted or new or lacks):
            steps.append(Step(SetNode(via, case.ours(via), name, was, wanted), name, arrived))
    return steps


def _has(node: NodeSeen, spec: NodeSpec) -> bool:
    """Whether a Node has all the labels and taints that it is to have."""
    labels = all(node.labels.get(key) == value for key, value in spec.labels.items())
    return labels and all(taint in node.taints for taint in spec.taints)
