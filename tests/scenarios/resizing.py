"""What is promised of resizing, as one story for real servers and for modelled ones.

The servers that join and leave are named by size (among equals the cluster's uid decides), and for
some changes each step is named. So one of the two fails where the model differs from real servers.
A module that runs the story has a fixture `pool`: of the lab's nine servers three are control
planes of a cluster with one worker. In each of three racks unit 4 and unit 12 are SMALL and
labelled disk=ssd; of the units 8, two are MIDDLE and r3u08 is BIG. The tests build on each other.
"""

from __future__ import annotations

import pytest

from rpool.model.claim import Claim, Phase
from rpool.model.server import Role
from scenarios.pool import FAILED, Pool

SMALL, MIDDLE, BIG = (4, 8), (8, 16), (16, 32)
START = {"cores": 8, "memory": 16}
FOREIGN = Claim(
    "ffffffff", "other", "eve@desk", Role.WORKER, Phase.MEMBER, 1, "2026-01-01", "r1u01", ""
)
NODE = """
resource "rpool_node" "extra" {
  cluster = rpool_cluster.demo.id
  server  = "r3u08"
  labels  = { "example.org/kind" = "extra" }
  taint {
    key    = "extra"
    effect = "NoSchedule"
  }
}
"""
PLANTED = ("/etc/systemd/system/came.service", "/root/.ssh/authorized_keys2")
RECORDS = {"record applying", "record settled"}
SECOND = """
variable "second" {
  type    = number
  default = 8
}

resource "rpool_cluster" "second" {
  name               = "second"
  kubernetes_version = var.kubernetes_version
  cores              = var.second
  memory             = 2 * var.second
  control_plane {
    servers = 1
    endpoint {
      vip = "NETWORK.201"
    }
  }
  kubeadm {
    kubelet                 = var.kubeadm.kubelet
    kube_proxy              = var.kubeadm.kube_proxy
    ignore_preflight_errors = var.kubeadm.ignore_preflight_errors
  }
}
"""


class Resizing:
    def test_growing_by_one_worker(self, pool: Pool) -> None:
        pool.write(cores=16, memory=32)
        done = pool.change("grow by one worker")
        assert (pool.sizes(done.joined), done.left) == ([MIDDLE], set())
        (name,) = done.joined
        own = {
            f"{verb} {name}" for verb in ("claim", "prepare", "join", "member", "ready", "label")
        }
        assert done.steps == own | {"admit joiners", "revoke joiners"} | RECORDS

    def test_growing_by_two_workers(self, pool: Pool) -> None:
        pool.write(cores=24, memory=48)
        done = pool.change("grow by two workers")
        assert (pool.sizes(done.joined), done.left) == ([SMALL, SMALL], set())

    def test_shrinking_by_one_worker(self, pool: Pool) -> None:
        pool.write(cores=20, memory=40)
        (leaving,) = pool.planned("saved.tfplan")
        pool.plant(leaving, *PLANTED)
        done = pool.change("shrink by one worker")
        assert (done.joined, done.left, pool.sizes(done.left)) == (set(), {leaving}, [SMALL])
        (name,) = done.left
        assert f"{name}: given back, with changes since its claim" in done.said
        assert f"{'; '.join(f'new {path}' for path in PLANTED)}. Check these" in done.said
        assert (
            done.steps == {f"{v} {name}" for v in ("drain", "leave", "reset", "forget")} | RECORDS
        )

    def test_from_three_control_planes_to_five(self, pool: Pool) -> None:
        pool.write(control_planes=5)
        done = pool.change("3 to 5 control planes")
        assert (pool.sizes(done.joined), done.left) == ([SMALL, SMALL], set())

    def test_and_back_to_three(self, pool: Pool) -> None:
        pool.write(control_planes=3)
        done = pool.change("5 to 3 control planes")
        assert (done.joined, len(done.left)) == (set(), 2)
        assert "given back, with" not in done.said
        for name in done.left:
            assert {f"{v} {name}" for v in ("step down", "leave etcd", "reset")} <= done.steps

    def test_retiring_a_control_plane(self, pool: Pool) -> None:
        old = pool.with_role("control_plane")[0]
        pool.mark(old, "retire")
        done = pool.change("retire a control plane")
        assert (pool.sizes(done.joined), done.left) == ([SMALL], {old})
        assert done.joined <= pool.given_back  # a server that was in a cluster serves again
        pool.unmark()

    def test_another_selector(self, pool: Pool) -> None:
        others = {name for name in pool.members() if pool.sizes({name}) != [SMALL]}
        pool.write(selector={"labels": {"disk": "ssd"}}, cores=12, memory=24)
        done = pool.change("another selector, and smaller")
        assert (pool.sizes(done.joined), done.left) == ([SMALL, SMALL], others)
        pool.write(selector=None)
        done = pool.change("no selector")
        assert (done.joined, done.left) == (set(), set())

    def test_retiring_a_worker(self, pool: Pool) -> None:
        """All the small ones are taken, so a bigger one has to replace it."""
        old = pool.with_role("worker")[0]
        pool.mark(old, "retire")
        done = pool.change("retire a worker")
        assert (pool.sizes(done.joined), done.left) == ([MIDDLE], {old})
        pool.unmark()
        pool.write(cores=4, memory=8)
        assert pool.sizes(pool.change("shrink by two workers").left) == [SMALL, MIDDLE]

    def test_a_node_is_put_in_and_taken_out(self, pool: Pool) -> None:
        members = pool.members()
        pool.mark("r3u08", "reserved")
        with pool.also("node", NODE):
            seconds = pool.apply()
            assert pool.members() == members
            labels, taints = pool.labels_and_taints("r3u08")
            assert labels["example.org/kind"] == "extra"
            assert "extra" in taints
            assert pool.nodes() == dict.fromkeys(members | {"r3u08"}, "Ready")
        pool.figure(f"rpool_node: in {seconds:.1f} s, out {pool.apply():.1f} s")
        assert pool.leftovers("r3u08") == ""
        pool.assert_settled()
        pool.unmark()

    def test_other_addresses_for_services_touch_no_server(self, pool: Pool) -> None:
        most, last = f"{pool.network}.220-{pool.network}.250", f"{pool.network}.251/32"
        pool.write(service_addresses=[most, last])
        done = pool.change("other MetalLB addresses")
        assert (done.joined, done.left) == (set(), set())
        assert done.steps == {"metallb pools"} | RECORDS

    def test_metallb_goes_and_comes_back(self, pool: Pool) -> None:
        pool.write(service_addresses=None)
        without = pool.apply()
        assert not pool.announces()
        pool.forget("service_addresses")
        again = pool.apply()
        pool.await_application()
        pool.figure(f"MetalLB: out {without:.1f} s, in {again:.1f} s")

    def test_a_saved_plan_whose_server_was_taken_meanwhile_is_stale(self, pool: Pool) -> None:
        pool.write(cores=12, memory=24)
        (planned,) = pool.planned("saved.tfplan")
        with pool.taken(planned, FOREIGN):
            error = pool.refused("apply", "saved.tfplan")
            assert f"{planned} was to join, but is claimed by cluster other (uid ffffffff" in error
            assert not pool.tainted()
            assert pool.state()["cores"] == 4
            pool.assert_members_are_settled()
            done = pool.change("another server, since the planned one was taken")
            assert (pool.sizes(done.joined), done.left) == ([MIDDLE], set())
        pool.write(cores=4, memory=8)
        assert pool.change("shrink again").left == done.joined

    def test_two_pools_share_the_spares(self, pool: Pool) -> None:
        """The last small ones make the second cluster; then there is a middle one for each."""
        with pool.also("second", SECOND.replace("NETWORK", pool.network)):
            pool.write(second=4)
            pool.figure(f"a second cluster, 1 + 1: {pool.apply():.1f} s")
            assert pool.sizes(pool.members("second")) == [SMALL, SMALL]
            assert pool.sizes(pool.spares("second")) == [MIDDLE, MIDDLE, BIG]
            pool.write(cores=12, memory=24, second=12)
            pool.figure(f"two clusters grow in one apply: {pool.apply():.1f} s")
            assert pool.spares("second") == {"r3u08"}

    def test_of_two_pools_that_want_the_last_spare_one_gets_it(self, pool: Pool) -> None:
        with pool.also("second", SECOND.replace("NETWORK", pool.network)):
            pool.write(cores=28, memory=56, second=28)
            errors = pool.refused("apply", "-auto-approve")
            assert errors.count("Error: ") == 1
            assert "r3u08 was to join, but " in errors
            assert "claimed by cluster" in errors
            cores = {name: pool.state(name)["cores"] for name in ("demo", "second")}
            assert sorted(cores.values()) == [12, 28]
            assert not any(pool.tainted(name) for name in cores)
            assert "does not fit" in pool.refused("plan")
            pool.write(cores=12, memory=24, second=12)
            pool.apply()
            assert pool.state()["cores"] == pool.state("second")["cores"] == 12
            assert pool.spares("second") == {"r3u08"}
        pool.forget("second")
        pool.figure(f"the second cluster destroyed: {pool.apply():.1f} s")
        pool.assert_settled()

    @pytest.mark.parametrize("role", ["worker", "control_plane"])
    def test_a_lost_server_is_replaced(self, pool: Pool, role: str) -> None:
        """It keeps its claim, as lost hardware does."""
        lost = pool.with_role(role)[-1]
        pool.spread_application()
        pool.lose(lost)
        assert pool.terraform("plan", "-detailed-exitcode").returncode != FAILED
        pool.mark(lost, "lost")
        done = pool.change(f"replace a lost {role.replace('_', ' ')}", lost=lost)
        assert done.left == {lost}
        assert len(done.joined) == 1
