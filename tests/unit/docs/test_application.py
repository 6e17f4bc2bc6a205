"""The example's application can be placed and rolled out on as few servers as it has copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLE = Path(__file__).parents[3] / "examples/terraform/one-cluster/web.yaml"
OLD, NEW = "old", "new"
Pods = Counter[tuple[str, str]]
"""How many, by node and by the template's hash."""


def deployment() -> Mapping[str, Any]:
    (manifest,) = (
        document
        for document in yaml.safe_load_all(EXAMPLE.read_text())
        if document["kind"] == "Deployment"
    )
    return dict(manifest["spec"])


def fits(
    constraint: Mapping[str, Any], node: str, revision: str, pods: Pods, control_planes: int
) -> bool:
    """Whether one more pod of a revision may go to a worker, by the scheduler's rule
    (kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints).
    """
    is_own = "pod-template-hash" in constraint.get("matchLabelKeys", ())
    workers = {name for name, _ in pods}
    counts = {
        name: sum(
            count
            for (worker, template), count in pods.items()
            if worker == name and (template == revision or not is_own)
        )
        for name in workers
    }
    if constraint.get("nodeTaintsPolicy", "Ignore") == "Ignore":
        counts |= {f"control plane {n}": 0 for n in range(control_planes)}
    return bool(counts[node] + 1 - min(counts.values()) <= constraint["maxSkew"])


def place(
    constraint: Mapping[str, Any], revision: str, pods: Pods, control_planes: int = 3
) -> bool:
    """Adds a pod where it fits. Returns False if it is Pending."""
    for node in sorted({name for name, _ in pods}):
        if fits(constraint, node, revision, pods, control_planes):
            pods[node, revision] += 1
            return True
    return False


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_it_can_be_rolled_out_wherever_its_copies_run(workers: int) -> None:
    spec = deployment()
    (constraint,) = spec["template"]["spec"]["topologySpreadConstraints"]
    pods: Pods = Counter({(f"w{n}", OLD): 0 for n in range(workers)})
    for _ in range(spec["replicas"]):
        assert place(constraint, OLD, pods), "a copy is Pending"
    for _ in range(spec["replicas"]):  # the default: one more, and then one less
        assert place(constraint, NEW, pods), "the rollout does not go on"
        pods[next(key for key, count in pods.items() if key[1] == OLD and count)] -= 1
    assert sum(pods.values()) == spec["replicas"]
    spread = {node for (node, _), count in pods.items() if count}
    assert len(spread) == min(workers, spec["replicas"])
