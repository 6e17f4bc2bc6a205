"""What a server says of itself, or a record of its servers, is not trusted for that alone."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from worlds.expect import settled
from worlds.false import FALSE, posing
from worlds.fault import AFTER, Fault
from worlds.stage import BIGGER, SPEC, Stage, killed, made, with_role

from rpool.api import NodeRequest, parse_node
from rpool.certificates import ca_pin, new_ca
from rpool.errors import Refused, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.pool import NodeSpec
from rpool.model.record import Member
from rpool.model.server import Role
from rpool.model.view import Condition, PoolView
from rpool.simulate.machine import Cluster, Machine
from rpool_provider.resources.cluster import Cluster as ClusterResource
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.cluster_state import configuration, with_view
from rpool_provider.resources.resource import Held

CONFIG = {**dict.fromkeys(a.name for a in CLUSTER.root.attributes), **configuration(SPEC)}


def cut_off(stage: Stage, view: PoolView) -> None:
    """No control plane of the cluster answers."""
    for name in with_role(view, Role.CONTROL_PLANE):
        stage.machine(name).powered = False
    stage.open()


def test_a_cluster_is_not_looked_for_behind_another_ca() -> None:
    stage, view = made(16)
    false = posing(stage, view)
    cut_off(stage, view)
    result = stage.site.read_pool(view)
    assert result.view is not None
    assert result.view.ca_certificate == view.ca_certificate
    assert FALSE not in result.view.servers
    with pytest.raises(RpoolError):
        stage.become(view, BIGGER)
    assert (false.tokens, list(false.nodes)) == (set(), [FALSE])


def test_two_cas_under_one_uid_are_an_error_that_names_the_servers() -> None:
    stage, view = made(16)
    posing(stage, view)
    stage.open()
    with pytest.raises(Refused, match="2 different CAs") as caught:
        stage.site.find_pool(view.uid)
    own, (other,) = sorted(view.servers), [FALSE]
    assert f"{ca_pin(view.ca_certificate)}: {', '.join(own)}" in caught.value.detail
    assert f": {other}\n" in caught.value.detail
    with pytest.raises(Refused, match="2 different CAs"):
        stage.site.find_pool(view.name)


def test_a_cluster_whose_ca_is_known_is_found_whoever_poses_as_it() -> None:
    stage, view = made(16)
    posing(stage, view)
    stage.open()
    cluster = stage.site.find_pool(view.uid, ca_pin(view.ca_certificate))
    assert cluster.view.ca_certificate == view.ca_certificate
    cut_off(stage, view)
    with pytest.raises(RpoolError) as caught:
        stage.site.find_pool(view.uid, ca_pin(view.ca_certificate))
    assert not isinstance(caught.value, Refused)


def test_an_rpool_node_is_put_into_no_cluster_that_poses_as_its_own() -> None:
    stage, view = made(16)
    false = posing(stage, view)
    extra = next(name for name in sorted(stage.world.machines) if stage.machine(name).claim is None)
    stage.mark(extra, reserved=True)
    request = parse_node({"cluster": view.uid, "server": extra})
    assert isinstance(request, NodeRequest)
    with pytest.raises(Refused, match="2 different CAs"):
        stage.site.pin_node(request, stage.attempt(), is_new=True)
    known = replace(request, ca_pin=ca_pin(view.ca_certificate))
    assert stage.site.pin_node(known, stage.attempt(), is_new=True) == known.ca_pin
    assert extra in stage.cluster(view).nodes
    assert not false.tokens
    wrong = replace(request, ca_pin=ca_pin(new_ca()))
    with pytest.raises(RpoolError, match="its API answers on none of them"):
        stage.site.pin_node(wrong, stage.attempt())


def written_in(stage: Stage, view: PoolView, name: str) -> None:
    """Adds a server to the cluster's record and gives it a Node, as an admin of the cluster can."""
    cluster = stage.cluster(view)
    assert cluster.record is not None
    member = Member.of(stage.site.config.fleet.servers[name], Role.WORKER)
    cluster.record = replace(cluster.record, members={**cluster.record.members, name: member})
    cluster.nodes[name] = Role.WORKER
    stage.open()


@pytest.mark.parametrize("reserved", [True, False])
def test_a_server_in_the_record_alone_is_never_claimed(reserved: bool) -> None:
    """The next apply takes it out of the record again."""
    stage, view = made(16)
    stage.mark(FALSE, reserved=reserved)
    before = stage.claimed()
    written_in(stage, view, FALSE)
    resource = ClusterResource()
    read = resource.read(Held(with_view(CONFIG, view)), stage.site)
    assert read.held.values is not None
    assert read.held.values["servers"].keys() == view.servers.keys()
    assert [
        diagnostic
        for diagnostic in read.diagnostics
        if f"names servers that are not its own: {FALSE}" in diagnostic.summary
    ]
    stage.cluster(view).nodes.pop(FALSE)  # it is not to look like one that has yet to join
    planned = resource.plan(read.held, CONFIG, stage.site)
    assert planned.values is not None
    assert planned.values["servers"].keys() == view.servers.keys()
    stage.acted.clear()
    updated = resource.update(
        read.held, Held(planned.values, planned.private), stage.site, threading.Event()
    )
    assert [diagnostic.summary for diagnostic in updated.diagnostics if diagnostic.is_error] == []
    assert not [action for action in stage.acted if action.server == FALSE]
    assert stage.claimed() == before
    record = stage.cluster(view).record
    assert record is not None
    assert record.members.keys() == view.servers.keys()


def test_a_reserved_server_joins_nobody_but_by_an_rpool_node() -> None:
    """Also where a plan names it: the mark may have come after the plan."""
    stage, view = made(16)
    target = stage.plan(view, BIGGER, SPEC)
    (joins,) = target.joining
    stage.mark(joins, reserved=True)
    with pytest.raises(RpoolError, match=f"{joins} is to join, but it is reserved"):
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    assert joins not in stage.claimed()


def test_what_is_fixed_on_a_cluster_is_not_changed_by_its_record() -> None:
    stage, view = made(16)
    cluster = stage.cluster(view)
    assert cluster.record is not None and cluster.record.settled is not None
    spec = cluster.record.settled
    other = replace(
        spec,
        name="other",
        networking=replace(spec.networking, pod_cidr="10.99.0.0/16"),
        control_plane=replace(
            spec.control_plane, endpoint=replace(spec.control_plane.endpoint, vip="10.0.1.99")
        ),
        kubeadm=replace(spec.kubeadm, kubelet="maxPods: 7"),
    )
    cluster.record = replace(cluster.record, settled=other)
    stage.open()
    resource, config = ClusterResource(), CONFIG
    prior = Held(with_view(config, view))
    read = resource.read(prior, stage.site)
    planned = resource.plan(read.held, config, stage.site)
    assert list(planned.replaces) == []
    assert planned.values == prior.values
    assert [
        diagnostic
        for diagnostic in read.diagnostics
        if "another name or endpoint" in diagnostic.summary
    ]


def test_no_action_of_all_that_was_a_stranger_s() -> None:
    """A cluster grows beside a server that poses as its control plane."""
    stage, view = made(16)
    false = posing(stage, view)
    stage.open()
    stage.acted.clear()
    grown = stage.become(view, BIGGER)
    assert FALSE not in grown.servers
    assert not [action for action in stage.acted if action.server == FALSE]
    assert not [
        action for action in stage.acted if isinstance(action, act.Join) and action.through == FALSE
    ]
    assert not false.tokens


def test_the_pin_of_a_cluster_is_in_its_state() -> None:
    stage = Stage(16)
    resource = ClusterResource()
    planned = resource.plan(Held(None), CONFIG, stage.site)
    created = resource.create(Held(planned.values, planned.private), stage.site, threading.Event())
    assert created.held.values is not None
    certificate = created.held.values["ca_certificate"]
    assert created.held.values["ca_pin"] == ca_pin(certificate)
    claims = (stage.machine(name).claim for name in created.held.values["servers"])
    assert {claim.ca_pin for claim in claims if claim} == {ca_pin(certificate)}


def test_a_cluster_does_not_grow_by_what_its_record_calls_an_rpool_node_s() -> None:
    """Otherwise each apply of the same configuration would add other servers in their place."""
    stage, view = made(16)
    before = stage.claimed()
    cluster, workers = stage.cluster(view), with_role(view, Role.WORKER)
    assert cluster.record is not None
    cluster.record = replace(cluster.record, pinned=dict.fromkeys(workers, NodeSpec()))
    stage.open()
    resource = ClusterResource()
    read = resource.read(Held(with_view(CONFIG, view)), stage.site)
    planned = resource.plan(read.held, CONFIG, stage.site)
    assert planned.values is not None
    assert planned.values["servers"].keys() == view.servers.keys()
    assert stage.become(view, SPEC).servers.keys() == view.servers.keys()
    assert stage.claimed() == before
    assert resource.delete(read.held, stage.site, threading.Event()).held.values is None
    assert stage.claimed() == set()


def test_a_worker_of_a_create_does_not_become_its_ca() -> None:
    """Root on the worker rewrites its claim before the first control plane is up. The worker is
    reset, and joins in its planned role.
    """
    stage = Stage(9)
    false = Cluster(new_ca(), SPEC.kubernetes_version)

    def pose(_: object) -> None:
        machine = stage.machine("r1u03")
        if machine.cluster is None and machine.claim is not None:
            machine.become(false, Role.CONTROL_PLANE)
            machine.claim = replace(
                machine.claim,
                role=Role.CONTROL_PLANE,
                phase=Phase.MEMBER,
                ca_pin=ca_pin(false.ca),
            )

    broken = Fault(act.Init, Unreachable("contact was lost"), times=1)
    posed = Fault(act.Prepare, pose, AFTER, servers="r1u03", times=1)
    with stage.faults(posed, broken):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert view.ca_certificate != false.ca
    assert "r1u03" not in view.control_planes
    settled(stage, view, SPEC)


def test_of_two_creates_that_were_cut_off_one_is_gone_on_with() -> None:
    """Both have a CA by now: the servers of the first had no power while the second one ran."""
    stage = Stage(14)
    with killed(stage, act.SetPhase):
        stage.site.create_pool(SPEC, stage.attempt())
    first = stage.claimed()
    for name in first:
        stage.machine(name).powered = False
    stage.open()
    with killed(stage, act.SetPhase):
        stage.site.create_pool(SPEC, stage.attempt())
    for name in first:
        stage.machine(name).give_power()
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert stage.claimed() == set(view.servers)
    assert stage.read(view).condition is Condition.SETTLED


def test_a_destroy_does_not_forget_who_got_another_address() -> None:
    stage, view = made(7)
    moved = view.control_planes[1]
    stage.mark(moved, address="10.0.1.99", host_key="ssh-ed25519 BBBB")  # type: ignore[arg-type]
    stage.world.machines[moved] = Machine(stage.site.config.fleet.servers[moved])
    before = stage.claimed()
    with pytest.raises(Refused, match=f"{moved} .*when it joined, 10.0.1.99 now"):
        stage.site.destroy_pool(view, stage.attempt())
    assert stage.claimed() == before
