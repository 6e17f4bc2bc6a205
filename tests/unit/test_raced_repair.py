"""Clusters that lose servers at the same time, and whose plans name the same spare."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from following import Desk, with_cluster
from test_contested import a_cluster
from test_repair import die, of, one_of, planned, run
from worlds.fault import BEFORE, Fault
from worlds.stage import FIVE, FOREIGN, Stage, killed

from rpool.errors import Unreachable
from rpool.model import action as act
from rpool.model.pool import PoolSpec, Repair
from rpool.model.server import Role

TWO_OF_FIVE = replace(FIVE, repair=Repair(max_lost=2))


def take(desk: Desk, server: str) -> None:
    """Another cluster claims the server."""
    desk.stage.machine(server).claim = replace(FOREIGN, server=server)


def before_the_apply(desk: Desk, server: str) -> str:
    run = desk.state.apply(desk.wanted, threading.Event(), lambda: take(desk, server))
    return "\n".join(run.errors)


def as_it_is_claimed(desk: Desk, server: str) -> str:
    race = Fault(act.TakeClaim, lambda _: take(desk, server), BEFORE, servers=server)
    with desk.stage.faults(race):
        return desk.refused()


def joining(desk: Desk) -> list[str]:
    """The servers that join by the next plan."""
    before, plan, _ = planned(desk)
    assert plan.values is not None
    return sorted(plan.values["servers"].keys() - before["servers"].keys())


def is_whole_beside(desk: Desk, others: str) -> None:
    """The cluster is whole without that server, also once the other cluster has given it back."""
    desk.succeeds()
    assert others not in desk.view().servers
    desk.stage.machine(others).claim = None
    desk.is_whole()


LOSES = pytest.mark.parametrize("loses", [before_the_apply, as_it_is_claimed])


@LOSES
@pytest.mark.parametrize("role", list(Role))
def test_who_is_dead_stays_until_its_replacement_is_claimed(
    role: Role, loses: Callable[[Desk, str], str]
) -> None:
    desk = with_cluster()
    dead = one_of(desk, role)
    die(desk, dead)
    (spare,) = joining(desk)
    assert f"{spare} was to join, but is claimed by cluster other" in loses(desk, spare)
    cluster = desk.stage.cluster(desk.view())
    assert dead in cluster.nodes
    assert (dead in cluster.members) is (role is Role.CONTROL_PLANE)
    assert cluster.record is not None
    assert cluster.record.is_settled
    assert dead in cluster.record.members
    assert dead in desk.view().servers
    assert joining(desk) != [spare]
    is_whole_beside(desk, spare)
    assert dead not in desk.view().servers


@LOSES
def test_without_another_spare_the_plan_says_so_and_the_dead_one_may_come_back(
    loses: Callable[[Desk, str], str],
) -> None:
    desk = with_cluster(count=6)
    dead = one_of(desk, Role.WORKER)
    die(desk, dead)
    (spare,) = joining(desk)
    loses(desk, spare)
    assert f"no server can replace {dead}" in planned(desk)[2]
    desk.power(dead, on=True)
    is_whole_beside(desk, spare)
    assert dead in desk.view().servers


def test_of_two_clusters_in_one_apply_the_loser_keeps_its_dead_server() -> None:
    one, two = a_cluster("one", "10.0.1.201"), a_cluster("two", "10.0.1.202")
    desk = Desk(Stage(6))
    desk.write(one, two)
    desk.succeeds()
    dead = {spec.name: worker_of(desk, spec) for spec in (one, two)}
    die(desk, *dead.values())
    assert "was to join, but is claimed by cluster" in desk.refused()
    (loser,) = [name for name, server in dead.items() if server in desk.view(name).servers]
    error = desk.refused()
    assert f"nothing was done about {dead[loser]}" in error
    assert "No free server can take its place" in error
    desk.power(dead[loser], on=True)
    desk.succeeds()


def worker_of(desk: Desk, spec: PoolSpec) -> str:
    (name,) = [n for n, s in desk.view(spec.name).servers.items() if s.role is Role.WORKER]
    return name


@LOSES
def test_one_of_two_control_planes_has_no_replacement(loses: Callable[[Desk, str], str]) -> None:
    """kubeadm lets no control plane in while a member of etcd is dead."""
    desk = with_cluster(TWO_OF_FIVE, count=16)
    dead = of(desk, Role.CONTROL_PLANE)[-2:]
    die(desk, *dead)
    spares = joining(desk)
    assert "is claimed by cluster other" in loses(desk, spares[0])
    assert set(dead) <= desk.stage.cluster(desk.view()).members.keys()
    is_whole_beside(desk, spares[0])
    assert not set(dead) & desk.view().servers.keys()


@pytest.mark.parametrize("role", list(Role))
def test_a_second_that_dies_meanwhile_does_not_hold_what_has_left_already(role: Role) -> None:
    """The apply sees it in its next round, where its brake would hold both."""
    desk = with_cluster()
    dead, second = one_of(desk, role), of(desk, Role.WORKER)[0]
    die(desk, dead)
    (spare,) = joining(desk)

    def dies(_: object) -> None:
        die(desk, second)
        raise Unreachable("no answer")

    with desk.stage.faults(Fault(act.Join, dies, BEFORE, servers=spare, times=1)):
        assert run(desk).errors == []
    assert dead not in desk.view().servers
    assert second in desk.view().servers
    desk.is_whole()
    assert second not in desk.view().servers


@pytest.mark.parametrize("at", [act.TakeClaim, act.RemoveEtcdMember, act.DeleteNode, act.Join])
@pytest.mark.parametrize("role", list(Role))
def test_one_that_comes_back_after_its_replacement_was_cut_off_is_no_trouble(
    role: Role, at: type[act.Action]
) -> None:
    desk = with_cluster()
    dead = one_of(desk, role)
    die(desk, dead)
    with killed(desk.stage, at, sure=False):
        desk.apply()
    desk.power(dead, on=True)
    desk.apply()
    desk.is_whole()


def test_who_is_marked_lost_leaves_at_once() -> None:
    """The mark is the operator's word, and waits for no replacement."""
    desk = with_cluster()
    dead = one_of(desk, Role.WORKER)
    die(desk, dead)
    desk.mark(dead, lost=True)
    (spare,) = joining(desk)
    as_it_is_claimed(desk, spare)
    assert dead not in desk.stage.cluster(desk.view()).nodes
    is_whole_beside(desk, spare)
