"""What a Node has from us: labels of the fleet, of the control plane, and of its rpool_node."""

from __future__ import annotations

from rpool.model.pool import ControlPlane, NodeSpec, Taint
from rpool.model.record import Member
from rpool.model.seen import UNANNOUNCED, NodeSeen
from rpool.model.server import Role

OF_KUBEADM = NodeSpec(
    {UNANNOUNCED: ""}, (Taint("node-role.kubernetes.io/control-plane", "", "NoSchedule"),)
)
"""What kubeadm gives to each control plane: no pods of others, and MetalLB announces no address."""

NOTHING = NodeSpec()


def node_spec(member: Member, planes: ControlPlane, pinned: NodeSpec = NOTHING) -> NodeSpec:
    """The labels and taints that a member's Node has from us. Of labels of one key the last counts:
    the fleet's, those of all control planes, its rpool_node's.
    """
    role = planes.labels if member.role is Role.CONTROL_PLANE else {}
    return NodeSpec({**member.labels, **role, **pinned.labels}, pinned.taints)


def lacks(node: NodeSeen, spec: NodeSpec) -> bool:
    """Whether a Node has not all the labels and taints that it is to have."""
    labels = all(node.labels.get(key) == value for key, value in spec.labels.items())
    return not (labels and all(taint in node.taints for taint in spec.taints))
