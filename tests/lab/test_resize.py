"""The story of resizing on real servers, while an HTTP client asks the application all the time,
and what no model can tell: pods that do not want to go, and an API that is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from desk import Desk, wait_for
from real_pool import RealPool
from scenarios.resizing import START, Resizing

from rpool.model.seen import LEAVING_MARK

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("plain_start"),
]
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


@pytest.fixture(scope="module")
def pool(desk: Desk, figure: Callable[[str], None]) -> Iterator[RealPool]:
    """Three control planes, one worker, and an application that two replicas keep alive."""
    pool = RealPool(desk, dict(START), figure)
    figure(f"terraform apply, 3 + 1: {pool.apply():.1f} s")
    pool.install_application()
    pool.await_application()
    yield pool
    destroyed = desk.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr


def budget(copies: int) -> str:
    """The application lets as many of its copies be moved at once."""
    patch = json.dumps({"spec": {"maxUnavailable": copies}})
    return f"patch poddisruptionbudget hello --type=merge --patch='{patch}'"


def drain(policy: str) -> str:
    return f'resource "rpool_cluster" "demo" {{\n  drain {{\n    {policy}\n  }}\n}}\n'


class TestResizing(Resizing):
    def test_a_budget_that_blocks_a_drain_keeps_the_server(self, pool: RealPool) -> None:
        workers = pool.with_role("worker")
        pool.spread_application()
        pool.kubectl(budget(0))
        pool.write(cores=4, memory=8)
        with pool.also("demo_override", drain('timeout = "5s"')):
            error = pool.refused("apply", "-auto-approve")
            assert "could not be drained within 5 s" in error
            assert "/hello allows none to go" in error
            assert pool.with_role("worker") == workers
            assert pool.state()["cores"] == 12
            assert not pool.tainted()
            pool.assert_members_are_settled()
            assert not [name for name in workers if EXCLUDED in pool.labels_and_taints(name)[0]]
        with pool.also("demo_override", drain('timeout = "5s"\n    on_timeout = "evict_anyway"')):
            pool.figure(f"shrink against a budget: {pool.apply():.1f} s")
            assert set(pool.with_role("worker")) < set(workers)
            pool.assert_settled()
        pool.kubectl(budget(1))
        pool.apply()

    def test_what_a_killed_drain_left_is_given_back_by_the_next_change(
        self, pool: RealPool
    ) -> None:
        (worker,) = pool.with_role("worker")
        pool.kubectl(f"label node {worker} {LEAVING_MARK}=true {EXCLUDED}=rpool-leaving")
        pool.kubectl(f"cordon {worker}")
        with pool.also("demo_override", drain('timeout = "7s"')):
            pool.apply()
            pool.assert_settled()
            assert not {LEAVING_MARK, EXCLUDED} & pool.labels_and_taints(worker)[0].keys()
        pool.apply()

    def test_a_pool_whose_api_is_gone_is_destroyed(self, pool: RealPool) -> None:
        members, vip = pool.members(), pool.desk.vip
        for control_plane in pool.with_role("control_plane"):
            pool.desk.ssh(control_plane, "rm /etc/kubernetes/manifests/kube-apiserver.yaml")
        livez = f"https://{vip}:6443/livez"
        wait_for("the API to be gone", 60, lambda: pool.desk.answers(livez) == "")
        destroyed = pool.terraform("destroy", "-auto-approve")
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
        assert {name: pool.leftovers(name) for name in members} == dict.fromkeys(members, "")
