"""Rung: labels and taints of Nodes, and cordons that an earlier operation left."""

from __future__ import annotations

from rpool.decide.membership import Part
from rpool.decide.node_spec import OF_KUBEADM, lacks, node_spec
from rpool.decide.plan.case import Case
from rpool.model.action import SetNode, Uncordon
from rpool.model.pool import NodeSpec
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName


def uncordon(case: Case) -> list[Step]:
    """Uncordons members that an earlier operation began to drain, and that stay after all."""
    through, nodes = case.through, case.pool.nodes
    return [
        Step(Uncordon(through, case.ours(through), name), name)
        for name in sorted(case.desired.roles)
        if case.concerns(name) and name in nodes and nodes[name].let_go
        if case.members.part(name) is Part.MEMBER or name in case.coming
    ]


def label(case: Case, arrived: frozenset[StepName]) -> list[Step]:
    """Sets labels and taints of members that lack some, or that are to have others than before."""
    through, pool = case.through, case.pool
    steps = []
    for name in case.desired.roles:
        if not case.labels(name):
            continue
        previous, wanted = _previous(case, name), case.node(name)
        if _is_control_plane(case, name):
            previous, wanted = _with_kubeadm_labels(case, name, previous, wanted)
        new = name in case.coming and wanted != NodeSpec()
        missing = case.concerns(name) and name in pool.nodes and lacks(pool.nodes[name], wanted)
        stays = name in case.coming or name in pool.nodes
        if stays and (previous != wanted or new or missing):
            steps.append(
                Step(SetNode(through, case.ours(through), name, previous, wanted), name, arrived)
            )
    return steps


def _previous(case: Case, name: ServerName) -> NodeSpec:
    """All that a Node may have from us by the settled and the wanted spec of the record."""
    member = case.record.members.get(name)
    specs = [spec for spec in (case.record.settled, case.record.wanted) if spec is not None]
    pinned = case.record.pinned.get(name)
    if member is None:
        return pinned or NodeSpec()
    previous = NodeSpec()
    for spec in specs or [case.spec]:
        previous = previous.beside(node_spec(member, spec, pinned))
    return previous


def _with_kubeadm_labels(
    case: Case, name: ServerName, previous: NodeSpec, wanted: NodeSpec
) -> tuple[NodeSpec, NodeSpec]:
    """Both specs, with what keeps pods off a control plane (`OF_KUBEADM`): kubeadm has set it, so
    it is removed where control planes take pods, and set again where they no longer do.
    """
    record = case.record
    before = [spec.control_plane.schedulable for spec in (record.settled, record.wanted) if spec]
    if case.spec.control_plane.schedulable:
        fresh = name in case.coming or not all(before) or record.settled is None
        return (previous.beside(OF_KUBEADM) if fresh else previous), wanted
    comes_back = any(before) and name not in case.coming
    return previous, (wanted.beside(OF_KUBEADM) if comes_back else wanted)


def _is_control_plane(case: Case, name: ServerName) -> bool:
    return case.desired.roles[name] is Role.CONTROL_PLANE
