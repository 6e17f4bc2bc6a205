"""Advice about single servers in a cluster, rpool_nodes and rpool itself, followed."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from fault.terraform import Instance, cluster_config, node_config
from following import Desk, follows, read, with_cluster
from worlds.fault import INSTEAD, Answer, Fault, Observe, Probe
from worlds.stage import BIGGER, FIVE, SPEC, Stage, killed, servers

from rpool.advice import Do
from rpool.api import Attempt, Site
from rpool.errors import CommandFailed, Refused, RpoolError, SpecError, check_format
from rpool.model import action as act
from rpool.model.pool import NodeSpec
from rpool.model.secret import Secret
from rpool.model.server import Role
from rpool.model.site import SiteConfig, Ssh
from rpool.simulate.store import Store
from rpool.simulate.stored import StoredWorld
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.node import Node
from rpool_provider.resources.resource import Held

SERVER = "r3u08"
GPU = NodeSpec({"accelerator": "h100"})


def with_node() -> Desk:
    desk = Desk(Stage(12))
    desk.mark(SERVER, reserved=True)
    desk.write(SPEC, **{SERVER: ("batch", GPU)})
    desk.succeeds()
    return desk


# -- an rpool_node --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["brought back", "marked lost", "given up"])
@follows(Do.GIVE_NODE_UP)
def test_a_node_whose_cluster_may_be_alive(way: str) -> None:
    desk = with_node()
    control_planes = desk.view().control_planes
    if way == "given up":
        for name in control_planes:
            desk.stage.machine(name).stepped_down = True
    else:
        desk.power(*control_planes, on=False)
    desk.write(SPEC)
    read(Do.GIVE_NODE_UP, desk.refused(), needed="2", count="3")
    if way == "brought back":
        desk.power(*control_planes[:2], on=True)
        return desk.succeeds()
    if way == "marked lost":
        desk.mark(*control_planes, lost=True)
        desk.apply()
        assert desk.stage.world.probe(SERVER).is_spare
        return desk.gives_back(*control_planes)
    del desk.state.nodes[SERVER]
    return desk.gives_back()


@pytest.mark.parametrize("way", ["destroyed first", "imported"])
@follows(Do.NODE_FIRST, 0, 1)
def test_a_cluster_that_goes_before_its_node(way: str) -> None:
    desk = with_node()
    uid = desk.view().uid
    desk.write(**{SERVER: ("batch", GPU)})
    if way == "imported":
        del desk.state.nodes[SERVER]
    read(Do.NODE_FIRST, desk.refused(), uid=uid, server=SERVER)
    if way == "imported":
        assert desk.state.adopt_node(uid, SERVER) is None
    desk.gives_back()


@follows(Do.IMPORT_NODE, 1)
def test_a_node_that_no_state_has() -> None:
    desk = with_node()
    del desk.state.nodes[SERVER]
    uid = desk.view().uid
    read(Do.IMPORT_NODE, desk.refused(), uid=uid, server=SERVER)
    assert desk.state.adopt_node(uid, SERVER) is None
    desk.succeeds()


@follows(Do.RETIRE_THEN_RESERVE)
def test_a_cluster_s_own_server_as_a_node() -> None:
    desk = with_cluster()
    own = desk.workers()[0]
    desk.mark(own, reserved=True)
    desk.write(SPEC, **{own: ("batch", GPU)})
    read(Do.RETIRE_THEN_RESERVE, desk.refused())
    desk.mark(own, retire=True)
    desk.apply()
    assert own not in desk.view().servers
    desk.mark(own, retire=False, reserved=True)
    desk.succeeds()


@follows(Do.RETIRE_THEN_RESERVE)
def test_a_cluster_s_own_server_as_a_node_is_an_error_of_the_plan() -> None:
    """The plan of its cluster, which comes first, names that server."""
    desk = with_cluster()
    own = desk.workers()[0]
    desk.mark(own, reserved=True)
    cluster = desk.state.clusters["batch"]
    site = desk.stage.site
    Cluster().plan(Cluster().read(cluster.held, site).held, cluster_config(SPEC), site)
    with pytest.raises(SpecError, match=f"{own} is one of the own servers of cluster") as caught:
        Node().plan(Held(None), node_config(cluster, own, GPU), site)
    read(Do.RETIRE_THEN_RESERVE, caught.value)
    desk.mark(own, reserved=True, retire=True)
    site = desk.stage.site
    Cluster().plan(Cluster().read(cluster.held, site).held, cluster_config(SPEC), site)
    assert Node().plan(Held(None), node_config(cluster, own, GPU), site).values
    desk.apply()
    desk.mark(own, retire=False, reserved=True)
    desk.write(SPEC, **{own: ("batch", GPU)})
    desk.succeeds()


@pytest.mark.parametrize("cut", [act.TakeClaim, act.Join])
@pytest.mark.parametrize("way", ["put in", "taken out"])
@follows(Do.PUT_IN_AGAIN)
def test_a_node_that_is_half_in(way: str, cut: type[act.Action]) -> None:
    desk = Desk(Stage(12))
    desk.mark(SERVER, reserved=True)
    desk.succeeds()
    desk.write(SPEC, **{SERVER: ("batch", GPU)})
    with killed(desk.stage, cut):
        desk.apply()
    held = Node().read(desk.state.nodes[SERVER].held, desk.stage.site).held
    config = node_config(desk.state.clusters["batch"], SERVER, GPU)
    (diagnostic,) = Node().plan(held, config, desk.stage.site).diagnostics
    read(Do.PUT_IN_AGAIN, diagnostic.detail)
    if way == "taken out":
        desk.write(SPEC)
    desk.succeeds()
    assert desk.stage.world.probe(SERVER).is_spare == (way == "taken out")


@follows(Do.TAKE_OUT)
def test_a_node_that_is_marked() -> None:
    desk = with_node()
    desk.mark(SERVER, retire=True)
    read(Do.TAKE_OUT, desk.apply())
    desk.write(SPEC)
    desk.is_whole()
    assert desk.stage.world.probe(SERVER).is_spare


@follows(Do.APPLY_CLUSTER)
def test_a_node_of_a_cluster_that_has_lost_its_record() -> None:
    desk = with_node()
    desk.stage.cluster(desk.view()).record = None
    desk.stage.open()
    with pytest.raises(RpoolError) as caught:
        desk.stage.site.unpin_node(desk.view().uid, SERVER, desk.stage.attempt())
    read(Do.APPLY_CLUSTER, caught.value)
    desk.apply()
    desk.write(SPEC)
    desk.is_whole()


# -- what was on a server -------------------------------------------------------------------------


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("way", ["put back", "taken out by hand"])
@follows(Do.PUT_CLAIM_BACK)
def test_a_claim_that_somebody_deleted(way: str, role: Role) -> None:
    desk = with_cluster()
    name = next(n for n, server in desk.view().servers.items() if server.role is role)
    machine, cluster = desk.stage.machine(name), desk.stage.cluster(desk.view())
    claim, machine.claim = machine.claim, None
    read(Do.PUT_CLAIM_BACK, desk.refused(), server=name)
    if way == "put back":
        machine.claim = claim
    else:
        machine.reset()  # and as kubeadm's:
        cluster.members.pop(name, None)
        cluster.delete_node(name)
    desk.is_whole()


@pytest.mark.parametrize("way", ["put back", "retired"])
@follows(Do.PUT_MARK_BACK)
def test_a_control_plane_that_does_not_say_that_it_has_joined(way: str) -> None:
    desk = with_cluster()
    control_plane = desk.view().control_planes[0]
    desk.write(BIGGER)
    unjoined = Answer(lambda probed: replace(probed, joined=False, joined_control_plane=False))
    with desk.stage.faults(Fault(Probe, unjoined, servers=control_plane)):
        read(Do.PUT_MARK_BACK, desk.refused(), server=control_plane)
        if way == "retired":
            desk.mark(control_plane, retire=True)
            desk.apply()
    desk.is_whole()


@pytest.mark.parametrize("way", ["put back", "removed"])
@follows(Do.PUT_MARK_BACK)
def test_a_node_that_does_not_say_that_it_has_joined(way: str) -> None:
    desk = with_node()
    machine, cluster = desk.stage.machine(SERVER), desk.stage.cluster(desk.view())
    machine.cluster = None
    cluster.delete_node(SERVER)
    read(Do.PUT_MARK_BACK, desk.refused(), server=SERVER)
    if way == "put back":
        machine.cluster = cluster
    else:
        desk.write(SPEC)
    desk.succeeds()
    assert desk.stage.world.probe(SERVER).is_spare == (way == "removed")


@follows(Do.CORRECT_ADDRESS)
def test_an_address_at_which_another_machine_answers() -> None:
    """It is that of a control plane that an older record, put back from a backup, does not name."""
    desk = with_cluster(SPEC, 14)
    cluster, before = desk.stage.cluster(desk.view()), desk.state.copy()
    older = cluster.record
    desk.write(FIVE)
    desk.succeeds()
    new = max(set(desk.view().servers) - set(before.servers))
    cluster.record, desk.state = older, before
    cluster.delete_node(new)
    blank = {"claim": None, "traces": (), "joined": False, "kubeadm_ended": False}
    another = Answer(lambda probed: replace(probed, joined_control_plane=False, **blank))
    faults = [
        Fault(Probe, another, servers=new),
        Fault((act.TakeClaim, act.Prepare), lambda _: None, INSTEAD, servers=new),
    ]
    with desk.stage.faults(*faults):
        read(Do.CORRECT_ADDRESS, desk.refused(), server=new)
    desk.power(new, on=True)  # it boots, and has its Node again
    desk.is_whole()


# -- a cluster's request --------------------------------------------------------------------------


@follows(Do.SET_BACK, 0)
def test_a_version_that_cannot_be_had() -> None:
    desk = with_cluster()
    desk.write(replace(SPEC, kubernetes_version="1.36.4"))
    read(Do.SET_BACK, desk.refused(), to=" to 1.36.3")
    desk.write(SPEC)
    desk.is_whole()


@pytest.mark.parametrize("way", ["unprotected", "untainted"])
@follows(Do.UNPROTECT)
def test_a_cluster_that_is_protected(way: str) -> None:
    desk = Desk(Stage(12))
    third = Fault(act.Join, CommandFailed("no"), where=lambda join: join.control_plane, first=2)
    with desk.stage.faults(*([third] if way == "untainted" else [])):
        desk.apply()
    instance = desk.state.clusters["batch"]
    instance.values["deletion_protection"] = True
    assert instance.tainted == (way == "untainted")
    if way == "unprotected":
        desk.write()
    read(Do.UNPROTECT, desk.refused())
    if way == "untainted":
        desk.state.clusters["batch"] = Instance(instance.held)
        return desk.is_whole()
    desk.write(SPEC)
    desk.succeeds()
    return desk.gives_back()


# -- rpool itself ---------------------------------------------------------------------------------


@follows(Do.USE_NEWER)
def test_a_record_that_a_newer_version_wrote() -> None:
    desk = with_cluster()
    with pytest.raises(Refused) as newer:
        check_format("the record", 2, 1)
    with desk.stage.faults(Fault(Observe, newer.value)):
        read(Do.USE_NEWER, desk.refused())
    desk.is_whole()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    config = SiteConfig(servers(9), Ssh(Secret("key")))
    return Site(
        config, lambda site_config: StoredWorld(site_config.fleet, Store(tmp_path / "site.json"))
    )


@pytest.mark.parametrize("content", ["{", json.dumps({"version": 3})])
@follows(Do.REMOVE_FILE)
def test_a_file_of_modelled_servers_that_cannot_be_read(
    site: Site, tmp_path: Path, content: str
) -> None:
    (tmp_path / "site.json").write_text(content)
    with pytest.raises(Refused) as caught:
        site.create_pool(SPEC, Attempt(60))
    read(Do.REMOVE_FILE, caught.value)
    (tmp_path / "site.json").unlink()
    assert site.create_pool(SPEC, Attempt(60))


@follows(Do.WAIT)
def test_another_process_that_works_on_a_modelled_cluster(site: Site, tmp_path: Path) -> None:
    view = site.create_pool(SPEC, Attempt(60))
    with (
        closing(Store(tmp_path / "site.json")) as other,
        other.session(view.control_planes[0], view.uid),
        pytest.raises(RpoolError) as caught,
    ):
        site.destroy_pool(view, Attempt(60))
    read(Do.WAIT, caught.value)
    site.destroy_pool(view, Attempt(60))
    assert site.read_pool(view).view is None
