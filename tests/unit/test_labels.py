"""Labels of the fleet and of the control plane are on Nodes; where control planes may be, and
whether they take pods.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from following import Desk, with_cluster
from worlds.fault import Fault
from worlds.samples import NODE, OURS, SECRETS
from worlds.stage import SPEC, Stage

from rpool.decide.node_spec import OF_KUBEADM, of_kubelet
from rpool.errors import CommandFailed, SpecError
from rpool.model import action as act
from rpool.model.pool import ControlPlane, NodeSpec, PoolSpec, Selector
from rpool.model.seen import UNANNOUNCED
from rpool.model.server import Role
from rpool.reach import kubeadm

SSD = {"disk": "ssd"}


def planes(spec: PoolSpec = SPEC, **more: object) -> PoolSpec:
    return replace(spec, control_plane=replace(spec.control_plane, **more))  # type: ignore[arg-type]


def node(desk: Desk, name: str) -> NodeSpec:
    """What rpool has given to a Node."""
    return desk.stage.cluster(desk.view()).labelled.get(name, NodeSpec())


def with_labels(count: int = 12) -> Desk:
    stage = Stage(count)
    for name in stage.world.machines:
        stage.mark(name, labels={"rack-side": name[-1], **SSD})  # type: ignore[arg-type]
    desk = Desk(stage)
    desk.succeeds()
    return desk


# -- of the fleet --------------------------------------------------------------------------------


def test_nodes_have_the_labels_of_the_fleet_and_so_has_the_state() -> None:
    desk = with_labels()
    for name, member in desk.view().servers.items():
        assert node(desk, name).labels == {"rack-side": name[-1], **SSD} == member.labels
    desk.is_whole()


@pytest.mark.parametrize("role", list(Role))
def test_another_label_in_the_fleet_is_a_change_of_the_cluster(role: Role) -> None:
    desk = with_labels()
    name = next(n for n, member in desk.view().servers.items() if member.role is role)
    desk.mark(name, labels={"disk": "nvme"})
    assert desk.state.apply(desk.wanted, _never()).changes == 1
    assert node(desk, name).labels == {"disk": "nvme"}
    desk.is_whole()


def test_labels_of_who_is_no_member_change_nothing() -> None:
    desk = with_labels()
    spare = next(n for n in sorted(desk.stage.world.machines) if n not in desk.view().servers)
    desk.mark(spare, labels={"disk": "nvme"})
    assert desk.state.apply(desk.wanted, _never()).was_empty


def test_a_label_that_was_to_go_goes_though_the_change_was_cut_off() -> None:
    desk = with_labels()
    name = desk.workers()[0]
    desk.mark(name, labels={})
    with desk.stage.faults(Fault(act.SetNode, CommandFailed("no API"), servers=None)):
        assert desk.state.apply(desk.wanted, _never()).errors
    desk.succeeds()
    assert node(desk, name).labels == {}


def test_a_label_that_somebody_has_removed_makes_the_cluster_incomplete_until_it_is_back() -> None:
    desk = with_labels()
    name = desk.workers()[0]
    desk.stage.cluster(desk.view()).labelled[name] = NodeSpec()
    assert "lacks labels that the fleet or the control plane gives it" in desk.apply()
    assert node(desk, name).labels["disk"] == "ssd"
    desk.is_whole()


def test_an_rpool_node_has_the_fleet_s_labels_beneath_its_own() -> None:
    desk = with_labels()
    pinned = max(desk.stage.world.machines.keys() - desk.view().servers.keys())
    desk.mark(pinned, reserved=True)
    desk.write(SPEC, **{pinned: ("batch", NodeSpec({"disk": "tape", "gpu": "h100"}))})
    desk.succeeds()
    assert node(desk, pinned).labels == {"rack-side": pinned[-1], "disk": "tape", "gpu": "h100"}


# -- of the control plane ------------------------------------------------------------------------


def test_labels_of_the_control_plane_are_on_its_nodes_alone_and_go_again() -> None:
    desk = with_cluster(planes(labels={"tier": "head"}))
    for name, member in desk.view().servers.items():
        is_control_plane = member.role is Role.CONTROL_PLANE
        assert node(desk, name).labels == ({"tier": "head"} if is_control_plane else {})
    desk.write(planes(labels={"level": "head"}))
    desk.is_whole()
    assert node(desk, desk.view().control_planes[0]).labels == {"level": "head"}
    desk.write(SPEC)
    desk.is_whole()
    assert node(desk, desk.view().control_planes[0]).labels == {}


def test_a_control_plane_is_picked_by_a_selector_of_its_own() -> None:
    stage = Stage(12)
    for name in ("r1u06", "r2u07", "r3u08"):
        stage.mark(name, labels={"for": "heads"})  # type: ignore[arg-type]
    desk = Desk(stage, planes(selector=Selector(labels={"for": "heads"})))
    desk.is_whole()
    assert set(desk.view().control_planes) == {"r1u06", "r2u07", "r3u08"}
    assert not {"r1u06", "r2u07", "r3u08"} & set(desk.workers())


def test_another_selector_moves_the_control_plane_and_no_worker() -> None:
    desk = with_cluster()
    workers = set(desk.workers())
    names = sorted(desk.stage.world.machines.keys() - desk.view().servers.keys())[-3:]
    for name in names:
        desk.mark(name, labels={"for": "heads"})
    desk.write(planes(selector=Selector(labels={"for": "heads"})))
    desk.is_whole()
    assert set(desk.view().control_planes) == set(names)
    assert set(desk.workers()) == workers


def test_a_selector_of_the_control_plane_that_takes_nobody_is_an_error_at_its_place() -> None:
    stage = Stage(12)
    with pytest.raises(SpecError) as caught:
        stage.site.check_pool(planes(selector=Selector(frozenset({"rack9"}), {"no": "such"})))
    places = [problem.path for problem in caught.value.problems]
    assert places == [
        ("control_plane", "selector", "zones"),
        ("control_plane", "selector", "labels", "no"),
    ]


# -- that takes pods -----------------------------------------------------------------------------

EDGE = replace(
    SPEC, cores=4, memory_gib=8, control_plane=ControlPlane(1, SPEC.control_plane.endpoint)
)


def test_a_single_server_is_a_cluster_where_its_control_plane_takes_pods() -> None:
    desk = with_cluster(planes(EDGE, schedulable=True))
    view = desk.view()
    assert list(view.servers) == view.control_planes
    assert (view.allocated_cores, view.allocated_memory_gib) == (4, 8)


@pytest.mark.parametrize("schedulable", [True, False])
def test_kubeadm_is_told_to_keep_no_pods_off(schedulable: bool) -> None:
    spec = planes(EDGE, schedulable=schedulable)
    begun = kubeadm.init(act.Init("r1u04", OURS, NODE, spec, SECRETS))[0]
    joins = [
        kubeadm.join(
            act.Join("r1u04", OURS, NODE, spec, SECRETS, is_control_plane, through="r1u05")
        )[0]
        for is_control_plane in (True, False)
    ]
    has_taints = ["taints" in document["nodeRegistration"] for document in (begun, *joins)]
    assert has_taints == [schedulable, schedulable, False]


def test_a_kubelet_gives_its_node_the_labels_that_kubernetes_lets_it_give() -> None:
    """With any other label it does not even start; those are set through the API afterwards."""
    own = {"disk": "nvme", "node.kubernetes.io/kind": "x", "notkubernetes.io/a": "b"}
    theirs = {"anode.kubernetes.io/a": "b", "a.k8s.io/b": "c", "kubernetes.io/d": "e"}
    assert of_kubelet({**own, **theirs, "node-restriction.kubernetes.io/f": "g"}) == own
    join = act.Join("r1u04", OURS, NODE, SPEC, SECRETS, False, through="r1u05", labels=own)
    arguments = kubeadm.join(join)[0]["nodeRegistration"]["kubeletExtraArgs"]
    assert {argument["name"]: argument["value"] for argument in arguments}["node-labels"] == (
        "topology.kubernetes.io/zone=rack1,disk=nvme,node.kubernetes.io/kind=x,notkubernetes.io/a=b"
    )


def test_all_labels_are_there_in_the_end_whoever_may_give_them() -> None:
    labels = {"disk": "nvme", "node-restriction.kubernetes.io/kind": "x"}
    stage = Stage(12)
    for name in stage.world.machines:
        stage.mark(name, labels=labels)  # type: ignore[arg-type]
    desk = Desk(stage)
    desk.succeeds()
    joins = [action for action in stage.acted if isinstance(action, act.Join)]
    assert joins
    assert all(join.labels == {"disk": "nvme"} for join in joins)
    assert all(node(desk, name).labels == labels for name in desk.view().servers)
    desk.is_whole()


def steps(desk: Desk) -> list[act.SetNode]:
    return [action for action in desk.stage.acted if isinstance(action, act.SetNode)]


def test_what_keeps_pods_and_addresses_off_goes_and_comes_back() -> None:
    desk = with_cluster(EDGE)
    assert steps(desk) == []  # kubeadm's own taint is kubeadm's
    (control_plane,) = desk.view().control_planes
    desk.write(planes(EDGE, schedulable=True))
    desk.apply()
    (step,) = steps(desk)
    assert (step.node, step.was, step.wanted) == (control_plane, OF_KUBEADM, NodeSpec())
    desk.is_whole()
    assert desk.workers() == []  # it counts, so that the worker is not needed any more
    desk.stage.acted.clear()
    desk.write(EDGE)
    desk.apply()
    step = next(action for action in steps(desk) if action.node == control_plane)
    assert step.wanted == OF_KUBEADM
    assert UNANNOUNCED in step.wanted.labels
    desk.is_whole()
    assert len(desk.workers()) == 1


def test_a_cluster_that_grows_by_control_planes_that_take_pods_lets_workers_go() -> None:
    desk = with_cluster(planes(schedulable=True))
    assert desk.view().allocated_cores >= 16
    assert len(desk.workers()) == 1  # 3 x 4 cores, and one of 8
    desk.write(planes(schedulable=False))
    desk.is_whole()
    assert len(desk.workers()) == 2


def _never() -> threading.Event:

    return threading.Event()
