"""What a plan says of members that are dead or silent, and of a site that is out of reach."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from following import Desk, follows, read, with_cluster
from worlds.fault import Answer, Fault, Observe, Probe
from worlds.stage import SPEC, Stage

from rpool.advice import Do
from rpool.errors import Unreachable, WrongHostKey
from rpool.model.pool import Networking
from rpool.model.seen import ClusterSeen
from rpool.model.server import Role
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.cluster_state import configuration
from rpool_provider.resources.resource import Held

DEAD = re.compile(r"NotReady since [-0-9T:]+Z, no answer by SSH")


def one_of(desk: Desk, role: Role) -> str:
    """A member of that role, but not the first control plane."""
    return [name for name, member in sorted(desk.view().servers.items()) if member.role is role][-1]


@pytest.mark.parametrize(("role", "words"), [(Role.WORKER, "worker"), (Role.CONTROL_PLANE, "cont")])
@pytest.mark.parametrize("way", ["brought back", "marked lost"])
@follows(Do.MEND_MEMBERS)
def test_a_member_that_died_is_told_and_mended(role: Role, words: str, way: str) -> None:
    desk = with_cluster()
    dead = one_of(desk, role)
    desk.power(dead, on=False)
    warnings = desk.apply()
    read(Do.MEND_MEMBERS, warnings, servers=dead)
    assert "Cluster batch: 1 member is unhealthy" in warnings
    assert f"{dead} ({words}" in warnings
    assert DEAD.search(warnings)
    if way == "brought back":
        desk.power(dead, on=True)
    else:
        desk.mark(dead, lost=True)
    assert "unhealthy" not in desk.apply()
    desk.succeeds()
    assert (dead in desk.view().servers) is (way == "brought back")


def test_a_kubelet_that_ended_is_told_with_when_by_the_api_s_clock() -> None:
    desk = with_cluster()
    sick = one_of(desk, Role.WORKER)

    def not_ready(observed: ClusterSeen) -> ClusterSeen:
        node = replace(observed.nodes[sick], ready=False, since="2026-11-29T18:20:11Z")
        return replace(observed, nodes={**observed.nodes, sick: node})

    with desk.stage.faults(Fault(Observe, Answer(not_ready), times=None)):
        warnings = desk.apply()
    assert f"{sick} (worker): NotReady since 2026-11-29T18:20:11Z, answers by SSH." in warnings


@follows(Do.RESTART_KUBELET)
def test_one_that_answers_is_not_to_be_brought_back_its_kubelet_is() -> None:
    desk = with_cluster()
    sick = one_of(desk, Role.WORKER)
    desk.stage.machine(sick).fall_sick("kubelet", 0)
    warnings = desk.apply()
    read(Do.RESTART_KUBELET, warnings, servers=sick)
    assert "Bring" not in warnings
    desk.stage.machine(sick).mend()
    assert "unhealthy" not in desk.apply()


@pytest.mark.parametrize("seconds_ago", [0, 3600])
@follows(Do.NEW_HOST_KEY)
def test_what_has_another_host_key_may_be_somebody_else_and_is_not_brought_back(
    seconds_ago: float,
) -> None:
    """Neither a restart nor the mark helps: marked lost, it would be replaced by another server."""
    desk = with_cluster()
    odd = one_of(desk, Role.WORKER)
    refuses = WrongHostKey(f"{odd} does not have the host key that the fleet declares")
    if seconds_ago:
        desk.stage.machine(odd).fall_sick("kubelet", seconds_ago)
    desk.stage.open()
    with desk.stage.faults(Fault(Probe, refuses, servers=odd, times=None)):
        result = desk.stage.site.read_pool(desk.view())
    (warning,) = result.warnings
    read(Do.NEW_HOST_KEY, warning, servers=odd)
    assert f"not logged in to ({odd} does not have the host key" in warning
    assert "restart kubelet" not in warning
    assert "Bring" not in warning
    desk.is_whole()


def test_an_sshd_that_ended_is_told_though_the_node_is_ready() -> None:
    desk = with_cluster()
    silent = one_of(desk, Role.CONTROL_PLANE)
    no_answer = Fault(Probe, Unreachable("no sshd"), servers=silent, times=None)
    with desk.stage.faults(no_answer):
        warnings = desk.apply()
    assert f"{silent} (control plane): its Node is Ready, no answer by SSH (no sshd)." in warnings


def test_what_is_marked_lost_is_not_told_again() -> None:
    desk = with_cluster(count=6)  # and no spare
    dead = one_of(desk, Role.WORKER)
    desk.power(dead, on=False)
    desk.mark(dead, lost=True)
    assert "unhealthy" not in desk.apply()


@pytest.mark.parametrize("how", ["its Node is Ready", "it answers by SSH"])
@pytest.mark.parametrize("way", ["the mark taken away", "applied"])
@follows(Do.UNMARK)
def test_what_is_marked_lost_and_lives_is_told(how: str, way: str) -> None:
    desk = with_cluster()
    alive = one_of(desk, Role.WORKER)
    if how == "it answers by SSH":
        desk.stage.machine(alive).fall_sick("kubelet")
    desk.mark(alive, lost=True)
    warnings = "\n".join(desk.stage.site.read_pool(desk.view()).warnings)
    assert f"{alive} is marked lost = true in the fleet, but is alive: {how}." in warnings
    read(Do.UNMARK, warnings)
    if way == "the mark taken away":
        desk.mark(alive, lost=False)
        desk.stage.machine(alive).mend()
        desk.is_whole()
        assert alive in desk.view().servers
        return
    assert desk.apply().count("is alive") == 1
    assert alive not in desk.view().servers
    assert desk.stage.world.probe(alive).is_spare, "drained and wiped"


def test_nodes_that_wait_for_the_user_s_network_are_not_told() -> None:
    desk = Desk(Stage(12), replace(SPEC, networking=Networking(cni="none"), metallb_pools={}))
    desk.succeeds()
    assert "unhealthy" not in desk.apply()
    desk.power(one_of(desk, Role.WORKER), on=False)
    assert "1 member is unhealthy" in desk.apply()


@pytest.mark.parametrize("way", ["the network is mended", "without a refresh"])
@follows(Do.REACH_SITE)
def test_a_site_that_nobody_reaches_is_an_error_and_not_no_changes(way: str) -> None:
    desk = with_cluster()
    desk.power(*desk.stage.world.machines, on=False)
    before = desk.state.clusters["batch"].values
    error = desk.refused()
    assert "no server of cluster batch answers by SSH, nor does any other that was asked" in error
    read(Do.REACH_SITE, error)
    assert desk.state.clusters["batch"].values == {**before, "condition": "unreachable"}
    if way == "the network is mended":
        desk.power(*desk.stage.world.machines, on=True)
        desk.is_whole()
        return
    desk.stage.open()  # another process, which reads nothing
    config = {**before, **configuration(SPEC)}
    plan = Cluster().plan(Held(before), config, desk.stage.site)
    assert plan.values == before


def test_a_site_that_is_gone_for_good_is_marked_so_and_goes() -> None:
    """Terraform plans the configuration also before a destroy."""
    desk = with_cluster()
    desk.power(*desk.stage.world.machines, on=False)
    desk.mark(*desk.stage.world.machines, lost=True)
    assert "nor does any other that was asked" not in desk.apply()
    desk.write()
    desk.apply()
    assert desk.state.clusters == {}


def test_a_cluster_whose_servers_all_died_is_a_warning_where_others_answer() -> None:
    desk = with_cluster()
    desk.power(*desk.view().servers, on=False)
    warnings = desk.apply()
    assert "Cluster batch is shown as last known" in warnings


def test_a_destroy_of_what_nobody_reaches_is_planned() -> None:
    """It ends in its own error, which names the servers."""
    desk = with_cluster()
    desk.power(*desk.stage.world.machines, on=False)
    desk.write()
    with pytest.raises(AssertionError):
        desk.succeeds()
    assert "nor does any other that was asked" not in desk.refused()
