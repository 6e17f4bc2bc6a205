"""What a Node has from us: labels of the fleet, of the control plane, and of its rpool_node."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rpool.model.pool import NodeSpec, PoolSpec, Taint
from rpool.model.record import Member
from rpool.model.seen import UNANNOUNCED, NodeSeen
from rpool.model.server import Role

_NOT_OF_KUBELET = re.compile(
    r"(?!([^/]*\.)?(node|kubelet)\.kubernetes\.io/)([^/]*\.)?(kubernetes|k8s)\.io/"
)

OF_KUBEADM = NodeSpec(
    {UNANNOUNCED: ""}, (Taint("node-role.kubernetes.io/control-plane", "", "NoSchedule"),)
)
"""What kubeadm gives to each control plane: no pods of others, and MetalLB announces no address."""


def node_spec(member: Member, spec: PoolSpec, pinned: NodeSpec | None = None) -> NodeSpec:
    """The labels and taints that a member's Node has from us. For each key the last label counts:
    the fleet's, those of all control planes or of its group, its rpool_node's.
    """
    own = pinned if pinned is not None else _of_part(member, spec)
    return NodeSpec({**member.labels, **own.labels}, own.taints)


def _of_part(member: Member, spec: PoolSpec) -> NodeSpec:
    if member.role is Role.CONTROL_PLANE:
        return NodeSpec(spec.control_plane.labels)
    group = spec.groups.get(member.group)
    return group.node if group is not None else NodeSpec()


def of_kubelet(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that a kubelet may give to its own Node as it registers. With any other label of
    Kubernetes' own prefixes it does not even start (`--node-labels`, NodeRestriction).
    """
    return {key: value for key, value in labels.items() if not _NOT_OF_KUBELET.match(key)}


def lacks(node: NodeSeen, spec: NodeSpec) -> bool:
    """Whether a Node lacks any of the labels and taints that it is to have."""
    labels = all(node.labels.get(key) == value for key, value in spec.labels.items())
    return not (labels and all(taint in node.taints for taint in spec.taints))
