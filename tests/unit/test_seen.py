"""What is told of a node by its labels."""

from __future__ import annotations

import pytest

from rpool.model.seen import LEAVING_MARK, UNANNOUNCED, UNANNOUNCED_BY_US, NodeSeen

LABELS = {
    "nothing of ours": ({"disk": "ssd"}, False),
    "our mark": ({LEAVING_MARK: "true"}, True),
    "cordoned by an operator, its addresses moved by us": ({UNANNOUNCED: UNANNOUNCED_BY_US}, True),
    "a control plane, as kubeadm labels it": ({UNANNOUNCED: ""}, False),
    "kept from addresses by an operator": ({UNANNOUNCED: "true"}, False),
}


def test_the_mark_is_a_label_that_no_kubelet_may_set_on_its_own_node() -> None:
    """Kubernetes' NodeRestriction guards this prefix, and no other that is ours to use."""
    assert LEAVING_MARK.startswith("node-restriction.kubernetes.io/")


@pytest.mark.parametrize(("labels", "let_go"), LABELS.values(), ids=LABELS)
def test_what_a_killed_drain_has_left_is_told_from_what_others_did(
    labels: dict[str, str], let_go: bool
) -> None:
    node = NodeSeen(True, False, False, 4.0, 8.0, labels)
    assert node.let_go is let_go
