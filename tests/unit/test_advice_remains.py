"""Advice about clusters that no state has, their names and addresses, and what is left of them,
followed.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from following import Desk, follows, read, with_cluster
from worlds.fault import Fault, Observe
from worlds.stage import ONE, SPEC, Stage, killed

from rpool.advice import Do
from rpool.errors import CommandFailed, RpoolError
from rpool.flow import neighbours
from rpool.model import action as act
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.server import Role
from rpool_provider.resources.cluster import Cluster


@pytest.mark.parametrize("way", ["imported", "another name"])
@follows(Do.IMPORT)
def test_a_cluster_that_no_state_has(way: str) -> None:
    desk = with_cluster(ONE)
    uid = desk.view().uid
    desk.state.clusters.clear()
    read(Do.IMPORT, desk.refused(), uid=uid)
    if way == "imported":
        desk.imports(uid)
        return desk.is_whole()
    desk.write(elsewhere(ONE, "other"))
    return desk.succeeds()


def elsewhere(spec: PoolSpec, name: str) -> PoolSpec:
    control_plane = ControlPlane(spec.control_plane.servers, Endpoint(vip="10.0.1.201"))
    return replace(spec, name=name, control_plane=control_plane, metallb_pools={})


@pytest.mark.parametrize("way", ["brought back", "given back", "released", "another name"])
@follows(Do.IMPORT_SILENT)
def test_a_cluster_that_no_state_has_and_that_does_not_answer(way: str) -> None:
    desk = with_cluster(ONE)
    uid, control_planes = desk.view().uid, desk.view().control_planes
    desk.power(*control_planes, on=False)
    desk.state.clusters.clear()
    read(Do.IMPORT_SILENT, desk.refused(), uid=uid)
    if way == "another name":
        desk.write(elsewhere(ONE, "other"))
        return desk.succeeds()
    if way == "brought back":
        desk.power(*control_planes, on=True)
        desk.imports(uid)
        return desk.is_whole()
    desk.mark(*control_planes, lost=True)
    if way == "released":
        for server in desk.stage.claimed() - set(control_planes):
            desk.stage.site.release(server, uid, desk.stage.attempt())
        return desk.succeeds()
    desk.imports(uid)
    desk.gives_back(*control_planes)
    desk.write(ONE)
    return desk.succeeds()


def begun_by_eve(after: type[act.Action]) -> tuple[Desk, str]:
    """Eve's create, killed: returns Ann's desk, which wants that name, and the create's uid."""
    eve = Desk(Stage(12), owner='eve "the" desk')
    with killed(eve.stage, after):
        eve.apply()
    (uid,) = {machine.claim.uid for machine in eve.stage.world.machines.values() if machine.claim}
    return Desk(eve.stage, owner="ann@desk"), uid


@pytest.mark.parametrize("after", [act.TakeClaim, act.Prepare, act.Init, act.Join, act.SetPhase])
@pytest.mark.parametrize("way", ["given back", "the same owner", "imported"])
@follows(Do.FINISH_CREATE)
def test_a_create_that_somebody_else_has_begun(way: str, after: type[act.Action]) -> None:
    desk, uid = begun_by_eve(after)
    errors = desk.refused()
    owner = json.dumps('eve "the" desk')
    read(Do.FINISH_CREATE, errors, owner=owner, uid=uid)
    if way == "given back":
        eve = Desk(desk.stage, owner=json.loads(owner))
        eve.is_whole()
        eve.gives_back()
    elif way == "the same owner":
        matched = re.search(r"owner = (\".*\") in", errors)
        assert matched is not None
        desk.owner = json.loads(matched[1])
    else:
        desk.imports(uid)
        desk.gives_back()
        desk.write(SPEC)
    desk.is_whole()


@follows(Do.OTHER_NAME)
def test_a_create_of_that_name_that_is_at_work() -> None:
    desk = Desk(Stage(12), ONE)
    second = Desk(desk.stage, ONE)

    def also(_: act.Init) -> None:
        errors.append(second.refused())

    errors: list[str] = []
    with desk.stage.faults(Fault(act.Init, also)):
        desk.apply()
    read(Do.OTHER_NAME, errors[0])
    second.write(elsewhere(ONE, "other"))
    second.succeeds()
    desk.succeeds()


# -- addresses -----------------------------------------------------------------------------------


RANGE = ("10.0.1.240/32",)
TAKES = {"default": RANGE}


def two_of_one_address(control_planes: int) -> tuple[Desk, Desk, dict[str, str]]:
    """A cluster, another configuration that asks for its addresses, and what the advice names."""
    one = replace(SPEC, cores=8, memory_gib=16, metallb_pools=TAKES)
    one = replace(one, control_plane=replace(one.control_plane, servers=control_planes))
    desk = with_cluster(one, 14)
    other = replace(elsewhere(one, "other"), metallb_pools=TAKES)
    words = {"servers": ", ".join(sorted(desk.view().control_planes)), "uid": desk.view().uid}
    return desk, Desk(desk.stage, other), words


@pytest.mark.parametrize("control_planes", [1, 3])
@pytest.mark.parametrize("way", ["another range", "gone for good"])
@follows(Do.OTHER_ADDRESSES, 0, 2)
def test_a_create_that_asks_for_another_cluster_s_addresses(way: str, control_planes: int) -> None:
    desk, second, words = two_of_one_address(control_planes)
    for name in desk.view().control_planes:
        desk.stage.machine(name).stepped_down = way == "gone for good"
    read(Do.OTHER_ADDRESSES, second.refused(), **words)
    if way == "another range":
        wanted = second.wanted.clusters["other"]
        second.write(replace(wanted, metallb_pools={"default": ("10.0.1.241/32",)}))
        return second.succeeds()
    desk.mark(*desk.view().control_planes, lost=True)
    uid = desk.view().uid
    desk.state.clusters.clear()
    desk.imports(uid, "one")
    desk.gives_back()
    desk.mark(*words["servers"].split(", "), lost=False)
    return second.succeeds()


@follows(Do.OTHER_ADDRESSES, 1)
def test_an_exchange_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(neighbours, "LONGEST_SECONDS", 0.2)
    desk, second, words = two_of_one_address(1)
    taker = desk.wanted.clusters["batch"], second.wanted.clusters["other"]
    gives = replace(taker[0], metallb_pools={})
    desk.write(taker[1], gives)  # the taker is carried out first
    errors = desk.refused()
    read(Do.OTHER_ADDRESSES, errors, **words)
    desk.succeeds()


# -- what is left of a create or a destroy ---------------------------------------------------------


def remains() -> tuple[Desk, str]:
    desk = Desk(Stage(12))
    with killed(desk.stage, act.Prepare):
        desk.apply()
    (uid,) = {machine.claim.uid for machine in desk.stage.world.machines.values() if machine.claim}
    desk.state.clusters.clear()
    return desk, uid


@pytest.mark.parametrize("way", ["given back", "made anew"])
@follows(Do.REPLACE_REMAINS)
def test_what_a_killed_create_has_left(way: str) -> None:
    desk, uid = remains()
    diagnostics = Cluster().import_(uid, desk.stage.site).diagnostics
    read(Do.REPLACE_REMAINS, diagnostics[0].detail, uid=uid)
    desk.imports(uid)
    if way == "given back":
        return desk.gives_back()
    return desk.is_whole()


def left_by_a_destroy(cut: type[act.Action], role: Role) -> tuple[Desk, str, str]:
    """One server of a first create, in this role, was not taken over by a second, which was then
    destroyed. Returns the desk, the first uid, and the destroy's output. The destroy could find an
    API on that server only.
    """
    desk = Desk(Stage(12))
    with killed(desk.stage, cut, lambda action: cut is not act.Join or action.control_plane):
        desk.apply()
    desk.state.clusters.clear()
    claims = {n: machine.claim for n, machine in desk.stage.world.machines.items() if machine.claim}
    joined = {n for n in claims if cut is not act.Join or desk.stage.machine(n).role is role}
    leftover = max(name for name in joined if claims[name].role is role)
    with desk.stage.faults(Fault(act.TakeClaim, CommandFailed("no"), servers=leftover)):
        desk.refused()
    desk.write()
    others = [name for name in claims if name != leftover]
    with desk.stage.faults(Fault(Observe, CommandFailed("no"), servers=others, sure=False)):
        return desk, claims[leftover].uid, desk.apply()


@pytest.mark.parametrize("cut", [act.Prepare, act.Init])
@follows(Do.GIVE_BACK)
def test_what_a_destroy_leaves_that_was_not_taken_over(cut: type[act.Action]) -> None:
    desk, old, output = left_by_a_destroy(cut, Role.WORKER)
    read(Do.GIVE_BACK, output, uid=old)
    desk.imports(old)
    desk.gives_back()


@follows(Do.GIVE_DEAD_BACK)
def test_what_a_destroy_leaves_of_a_control_plane() -> None:
    """With no other member of its etcd left it serves nothing, but it was part of a cluster."""
    desk, old, output = left_by_a_destroy(act.Join, Role.CONTROL_PLANE)
    (control_plane,) = desk.stage.claimed()
    read(Do.GIVE_DEAD_BACK, output, servers=control_plane, uid=old)
    desk.mark(control_plane, lost=True)
    desk.imports(old)
    desk.gives_back()


@follows(Do.CALL_BY_UID)
def test_two_clusters_of_one_name() -> None:
    desk = with_cluster(ONE)
    second = Desk(desk.stage, elsewhere(ONE, "other"))
    second.succeeds()
    cluster = desk.stage.cluster(second.view("other"))
    assert cluster.record is not None
    assert cluster.record.settled is not None
    settled = replace(cluster.record.settled, name="batch")
    cluster.record = replace(cluster.record, settled=settled)
    for name in second.view("other").servers:
        machine = desk.stage.machine(name)
        assert machine.claim is not None
        machine.claim = replace(machine.claim, pool="batch")
    with pytest.raises(RpoolError) as caught:
        Cluster().import_("batch", desk.stage.site)
    read(Do.CALL_BY_UID, caught.value)
    uid = desk.view().uid
    desk.state.clusters.clear()
    desk.imports(uid)
    desk.succeeds()
