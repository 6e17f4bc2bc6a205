"""A cluster of one server, whose control plane takes pods: an application is reached there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from desk import Desk
from real_pool import RealPool

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("plain_start"),
]
TAKES_PODS = """
resource "rpool_cluster" "demo" {
  control_plane {
    servers     = 1
    schedulable = true
    labels      = { tier = "SAYS" }
    endpoint {
      vip = var.api_vip
    }
  }
}
"""
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


def test_one_server_is_a_cluster_with_an_application(
    desk: Desk, figure: Callable[[str], None]
) -> None:
    small = {"cores": 4, "memory": 8, "control_planes": 1}
    pool = RealPool(desk, {**small, "selector": {"labels": {"disk": "ssd"}}}, figure)
    with pool.also("demo_override", TAKES_PODS.replace("SAYS", "both")):
        seconds = pool.apply()
        (only,) = pool.members()
        labels, taints = pool.labels_and_taints(only)
        assert (labels["tier"], labels["disk"], taints) == ("both", "ssd", set())
        assert EXCLUDED not in labels
        pool.install_application()
        pool.await_application()
    figure(f"a cluster of one server, which takes pods: {seconds:.1f} s")
    with pool.also("demo_override", TAKES_PODS.replace("SAYS", "one")):
        pool.apply()
        assert pool.labels_and_taints(only)[0]["tier"] == "one"
    pool.apply()  # a worker joins, and the control plane takes no more pods
    labels, taints = pool.labels_and_taints(only)
    assert "tier" not in labels
    assert labels[EXCLUDED] == ""
    assert taints == {"node-role.kubernetes.io/control-plane"}
    assert len(pool.members()) == 2
    destroyed = desk.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
