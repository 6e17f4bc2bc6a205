"""The modelled site refuses what the real one would when servers leave."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.stage import Stage

from rpool.certificates import ca_pin
from rpool.errors import Bug, CommandFailed, Refused
from rpool.model import action as act
from rpool.model.action import Budgets, JoinSecrets
from rpool.model.claim import Claim, Phase
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.secret import Secret
from rpool.model.server import Role, Server, ServerName

SPEC = PoolSpec("batch", "1.36.3", 1, 1, ControlPlane(3, Endpoint(vip="10.0.1.200")))
CLAIM = Claim(
    "0badcafe", "batch", "ann", Role.WORKER, Phase.BOOTSTRAPPING, 1, "2026-01-01", "r1u01", ""
)
OURS = CLAIM.ownership


class Cluster:
    """Three control planes and a worker, one action after the other."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.world = self.stage.world
        self.first, self.second, self.third, self.worker = list(self.world.machines)[:4]
        self.secrets = JoinSecrets(Secret("token"), Secret("key"))
        for name in (self.first, self.second, self.third, self.worker):
            self.prepare(name)
        self.do(act.Init(self.first, OURS, self.node(self.first), SPEC, self.secrets))
        self.do(act.ApplyNetwork(self.first, OURS, "10.244.0.0/16", "flannel", "10.0.1.200:6443"))
        pin = ca_pin(self.world.observe(self.first).ca_certificate)
        self.secrets = JoinSecrets(Secret("token"), Secret("key"), pin)
        with pytest.raises(CommandFailed, match="could not read the cluster's Secrets"):
            self.join(self.second, control_plane=True)
        self.secrets = replace(self.secrets, encryption=self.world.encryption(self.first))
        self.join(self.second, control_plane=True)
        self.join(self.third, control_plane=True)
        self.join(self.worker)

    def node(self, name: ServerName) -> Server:
        return self.world.machines[name].server

    def do(self, action: act.Action) -> None:
        self.world.carry_out(action, 60)

    def prepare(self, name: ServerName) -> None:
        self.do(act.TakeClaim(name, replace(CLAIM, server=name)))
        self.do(act.Prepare(name, OURS, "1.36.3", SPEC.kubeadm, "flannel", 1, 1))

    def join(self, name: ServerName, *, control_plane: bool = False) -> None:
        node = self.node(name)
        self.do(act.Join(name, OURS, node, SPEC, self.secrets, control_plane, self.first))

    def reset(self, name: ServerName) -> None:
        self.do(act.Reset(name, OURS, None))

    def member_id(self, name: ServerName) -> str:
        return {member.name: member.id for member in self.world.etcd_members(self.first)}[name]

    def leave_etcd(self, name: ServerName, member_id: str) -> None:
        self.do(act.RemoveEtcdMember(self.first, OURS, name, member_id))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_server_that_has_stepped_down_serves_no_api_and_counts_for_quorum(
    cluster: Cluster,
) -> None:
    cluster.do(act.StepDown(cluster.second, OURS))
    with pytest.raises(CommandFailed, match="serves no API"):
        cluster.world.observe(cluster.second)
    cluster.stage.machine(cluster.third).powered = False
    assert cluster.world.observe(cluster.first).nodes
    assert [member.healthy for member in cluster.world.etcd_members(cluster.second)] == [
        True,
        True,
        False,
    ]
    cluster.reset(cluster.second)
    with pytest.raises(CommandFailed, match="quorum"):
        cluster.world.observe(cluster.first)


def test_a_member_that_is_out_may_be_taken_out_again(cluster: Cluster) -> None:
    second, third = cluster.member_id(cluster.second), cluster.member_id(cluster.third)
    cluster.stage.machine(cluster.third).powered = False
    cluster.leave_etcd(cluster.third, third)
    cluster.leave_etcd(cluster.third, third)  # it is out
    cluster.leave_etcd(cluster.second, second)
    assert [member.name for member in cluster.world.etcd_members(cluster.first)] == [cluster.first]


def test_a_member_leaves_etcd_by_its_id_and_its_name(cluster: Cluster) -> None:
    with pytest.raises(CommandFailed, match="another member"):
        cluster.leave_etcd(cluster.second, "beef")
    with pytest.raises(CommandFailed, match="another member"):
        cluster.leave_etcd(cluster.second, cluster.member_id(cluster.third))
    with pytest.raises(Bug):
        cluster.leave_etcd(cluster.second, "")


def test_nobody_leaves_etcd_without_whom_it_would_have_no_quorum(cluster: Cluster) -> None:
    leaving = cluster.member_id(cluster.second)
    cluster.world.machines[cluster.third].powered = False
    with pytest.raises(CommandFailed, match=f"without {cluster.second} etcd would have no quorum"):
        cluster.leave_etcd(cluster.second, leaving)
    cluster.world.machines[cluster.third].powered = True
    cluster.leave_etcd(cluster.second, leaving)


def test_a_name_is_free_again_when_its_member_of_etcd_is_out(
    cluster: Cluster,
) -> None:
    former = cluster.member_id(cluster.second)
    cluster.reset(cluster.second)
    cluster.prepare(cluster.second)
    cluster.do(act.DeleteNode(cluster.first, OURS, cluster.second))
    with pytest.raises(CommandFailed, match="still in etcd"):
        cluster.join(cluster.second, control_plane=True)
    cluster.leave_etcd(cluster.second, former)
    cluster.join(cluster.second, control_plane=True)
    assert cluster.member_id(cluster.second) != former


def test_the_node_of_a_worker_stays_until_it_is_deleted(cluster: Cluster) -> None:
    cluster.do(act.Drain(cluster.first, OURS, (cluster.worker, "r9u99"), 60, Budgets.RESPECTED))
    cluster.reset(cluster.worker)
    node = cluster.world.observe(cluster.first).nodes[cluster.worker]
    assert (node.ready, node.schedulable) == (False, False)
    cluster.do(act.DeleteNode(cluster.first, OURS, cluster.worker))
    assert cluster.worker not in cluster.world.observe(cluster.first).nodes


def test_a_cni_that_nobody_knows_is_not_installed(cluster: Cluster) -> None:
    """A cluster's record may say anything; the real world refuses it as well."""
    with pytest.raises(Refused, match="no cni that rpool knows"):
        cluster.do(
            act.ApplyNetwork(cluster.first, OURS, "10.244.0.0/16", "weave", "10.0.1.200:6443")
        )
