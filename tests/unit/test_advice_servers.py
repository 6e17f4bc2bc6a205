"""Advice about servers and their entries in the fleet, followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from following import Desk, follows, read, with_cluster
from worlds.fault import Answer, Fault, Probe
from worlds.stage import BIGGER, FIVE, FOREIGN, ONE, SMALLER, SPEC, Stage, killed

from rpool.advice import Do
from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.pool import NodeSpec

NODE, OTHER_NODE = "r3u08", "r1u09"
GPU = NodeSpec({"accelerator": "h100"})


# -- a server does not answer ---------------------------------------------------------------------


def is_to_leave() -> tuple[Desk, list[str]]:
    desk = with_cluster()
    (leaving,) = desk.stage.plan(desk.view(), SMALLER, SPEC).leaving
    desk.write(SMALLER)
    return desk, [leaving]


def is_to_join() -> tuple[Desk, list[str]]:
    desk = with_cluster()
    (joining,) = desk.stage.plan(desk.view(), BIGGER, SPEC).joining
    desk.write(BIGGER)
    with desk.stage.faults(Fault(act.Join, CommandFailed("no"), servers=joining)):
        desk.refused()
    return desk, [joining]


def keeps_etcd_from_growing() -> tuple[Desk, list[str]]:
    desk = with_cluster()
    desk.write(FIVE)
    return desk, desk.view().control_planes[:1]


def is_needed_for_quorum() -> tuple[Desk, list[str]]:
    desk = with_cluster(FIVE, 14)
    staying = set(desk.stage.plan(desk.view(), SPEC, FIVE).roles)
    desk.write(SPEC)
    return desk, sorted(name for name in desk.view().control_planes if name in staying)[:2]


def has_what_a_create_left() -> tuple[Desk, list[str]]:
    desk = Desk(Stage(9))
    with killed(desk.stage, act.RevokeJoiners):
        desk.apply()
    desk.state.clusters.clear()
    claims = {n: machine.claim for n, machine in desk.stage.world.machines.items() if machine.claim}
    return desk, [max(claims)]


def is_to_take_the_place_of_the_last() -> tuple[Desk, list[str]]:
    desk = with_cluster(ONE)
    desk.mark(*desk.view().control_planes, retire=True)
    (joining,) = desk.stage.plan(desk.view(), ONE, ONE).joining
    with desk.stage.faults(Fault(act.Join, CommandFailed("no"), servers=joining)):
        desk.refused()
    return desk, [joining]


def is_to_be_given_back() -> tuple[Desk, list[str]]:
    desk = with_cluster()
    desk.write()
    return desk, desk.workers()[:1]


SILENT = [
    is_to_leave,
    keeps_etcd_from_growing,
    is_needed_for_quorum,
    has_what_a_create_left,
    is_to_be_given_back,
]


@pytest.mark.parametrize("way", ["brought back", "marked lost"])
@pytest.mark.parametrize("situation", SILENT)
@follows(Do.BRING_BACK)
def test_a_server_that_does_not_answer(
    situation: Callable[[], tuple[Desk, list[str]]], way: str
) -> None:
    desk, silent = situation()
    desk.power(*silent, on=False)
    read(Do.BRING_BACK, desk.refused(), servers=", ".join(silent))
    if way == "brought back":
        desk.power(*silent, on=True)
    else:
        desk.mark(*silent, lost=True)
    desk.succeeds()
    names = {name for cluster in desk.state.clusters.values() for name in cluster.values["servers"]}
    assert desk.stage.claimed() - names == (set(silent) if way == "marked lost" else set())


@pytest.mark.parametrize("situation", [is_to_join, is_to_take_the_place_of_the_last])
def test_one_that_dies_before_it_has_joined_is_replaced_at_once(
    situation: Callable[[], tuple[Desk, list[str]]],
) -> None:
    """Nothing of it counts in the cluster yet, so that no operation waits for it."""
    desk, (silent,) = situation()
    desk.power(silent, on=False)
    desk.succeeds()
    assert silent not in desk.view().servers
    desk.power(silent, on=True)
    desk.is_whole()
    assert desk.stage.machine(silent).claim is None


@pytest.mark.parametrize("way", ["brought back", "marked lost"])
@follows(Do.BRING_BACK)
def test_a_server_that_may_have_a_cluster_that_has_vanished(way: str) -> None:
    desk = with_cluster()
    for name in desk.view().servers:
        desk.stage.machine(name).reset()
    desk.power("r3u11", on=False)
    read(Do.BRING_BACK, desk.apply(), servers="them")
    if way == "brought back":
        desk.power("r3u11", on=True)
    else:
        desk.mark("r3u11", lost=True)
    desk.is_whole()


def wants_node() -> Desk:
    desk = Desk(Stage(12))
    desk.mark(NODE, OTHER_NODE, reserved=True)
    desk.succeeds()
    desk.write(SPEC, **{NODE: ("batch", GPU)})
    return desk


@pytest.mark.parametrize("way", ["brought back", "another server"])
@follows(Do.BRING_NODE_BACK)
def test_the_server_of_a_node_that_does_not_answer(way: str) -> None:
    desk = wants_node()
    desk.power(NODE, on=False)
    read(Do.BRING_NODE_BACK, desk.refused(), server=NODE)
    if way == "brought back":
        desk.power(NODE, on=True)
    else:
        desk.write(SPEC, **{OTHER_NODE: ("batch", GPU)})
    desk.succeeds()


@pytest.mark.parametrize("way", ["brought back", "asks for less", "more servers"])
@follows(Do.BRING_SPARES_BACK)
def test_servers_without_which_a_cluster_does_not_fit(way: str) -> None:
    desk = Desk(Stage(9))
    silent = ("r1u03", "r2u04", "r3u05")
    fleet = desk.remove_entries("r1u06", "r2u07", "r3u08")
    desk.power(*silent, on=False)
    read(Do.BRING_SPARES_BACK, desk.refused())
    if way == "brought back":
        desk.power(*silent, on=True)
    elif way == "asks for less":
        desk.write(replace(ONE, cores=4, memory_gib=8))
    else:
        desk.stage.open(fleet)
    desk.is_whole()


# -- an entry in the fleet ------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["as it was", "lost", "retire"])
@follows(Do.PUT_ENTRY_BACK)
def test_an_entry_that_was_removed_under_its_cluster(way: str) -> None:
    desk = with_cluster()
    worker = desk.workers()[0]
    fleet = desk.remove_entries(worker)
    read(Do.PUT_ENTRY_BACK, desk.refused())
    desk.stage.open(fleet)
    if way == "lost":
        desk.power(worker, on=False)
    if way != "as it was":
        desk.mark(worker, **{way: True})
    desk.succeeds()
    if way == "retire":
        desk.remove_entries(worker)
        desk.is_whole()


@pytest.mark.parametrize("way", ["as it was", "lost"])
@follows(Do.PUT_ENTRY_BACK, 0, 1)
def test_an_entry_without_which_nothing_of_a_cluster_is_found(way: str) -> None:
    desk = with_cluster()
    last = desk.workers()[0]
    desk.power(last, on=False)
    wanted = desk.wanted
    desk.write()
    desk.refused()  # the others were given back
    fleet = desk.remove_entries(last)
    desk.wanted = wanted
    read(Do.PUT_ENTRY_BACK, desk.refused())
    desk.stage.open(fleet)
    if way == "as it was":
        desk.power(last, on=True)
    else:
        desk.mark(last, lost=True)
    desk.gives_back(*([last] if way == "lost" else []))


@follows(Do.PUT_ENTRY_BACK, 0)
def test_an_entry_without_which_a_destroy_leaves_its_server() -> None:
    desk = with_cluster()
    fleet = desk.remove_entries(desk.workers()[0])
    desk.write()
    read(Do.PUT_ENTRY_BACK, desk.refused())
    desk.stage.open(fleet)
    desk.gives_back()


@follows(Do.SIMULATE_AS_MANY)
def test_simulated_servers_that_were_made_fewer() -> None:
    desk = with_cluster(count=9)
    fleet = desk.remove_entries(*desk.workers())  # as simulate.servers takes the last ones away
    desk.write()
    read(Do.SIMULATE_AS_MANY, desk.refused())
    desk.stage.open(fleet)
    desk.gives_back()


@follows(Do.CORRECT_SIZE)
def test_a_server_that_is_smaller_than_its_entry_says() -> None:
    desk = wants_node()
    machine = desk.stage.machine(NODE)
    machine.server = replace(machine.server, memory_gib=8)
    read(Do.CORRECT_SIZE, desk.refused(), server=NODE)
    desk.mark(NODE, memory_gib=8)
    desk.succeeds()


@follows(Do.OWN_ADDRESSES)
def test_addresses_that_have_changed_places() -> None:
    desk = with_cluster()
    one, other = desk.workers()
    desk.write(SMALLER)
    machines = desk.stage.world.machines

    def exchange() -> None:
        machines[one].claim, machines[other].claim = machines[other].claim, machines[one].claim

    exchange()
    read(Do.OWN_ADDRESSES, desk.refused())
    exchange()
    desk.is_whole()


# -- what is on a server --------------------------------------------------------------------------


@follows(Do.CLEAN)
def test_a_dirty_server_that_is_needed() -> None:
    desk = Desk(Stage(5))
    dirty = desk.stage.machine("r2u04")
    dirty.traces = ("/etc/kubernetes/kubelet.conf",)
    read(Do.CLEAN, desk.refused())
    dirty.reset()
    desk.is_whole()


@follows(Do.WIPE)
def test_a_lost_server_that_a_destroy_has_left_with_its_claim() -> None:
    desk = with_cluster(count=5)
    lost = desk.workers()[0]
    desk.power(lost, on=False)
    desk.mark(lost, lost=True)
    desk.write()
    read(Do.WIPE, desk.apply())
    desk.stage.machine(lost).reset()
    desk.power(lost, on=True)
    desk.mark(lost, lost=False)
    desk.write(SPEC)
    desk.is_whole()


@pytest.mark.parametrize("way", ["given back", "cleaned", "another server"])
@follows(Do.FREE)
def test_the_server_of_a_node_that_is_in_use(way: str) -> None:
    desk = wants_node()
    machine = desk.stage.machine(NODE)
    if way == "cleaned":
        machine.traces = ("/etc/kubernetes/kubelet.conf",)
    else:
        machine.claim = FOREIGN
    read(Do.FREE, desk.refused(), server=NODE)
    if way == "another server":
        desk.write(SPEC, **{OTHER_NODE: ("batch", GPU)})
    else:
        machine.reset()
    desk.succeeds()


@follows(Do.START_TIME_SERVICE)
def test_a_clock_that_is_wrong() -> None:
    desk = with_cluster(count=6)
    (joining,) = desk.stage.plan(desk.view(), BIGGER, SPEC).joining
    wrong = Answer(lambda probed: replace(probed, clock_seconds=probed.clock_seconds + 60))
    desk.write(BIGGER)
    with desk.stage.faults(Fault(Probe, wrong, servers=joining)):
        read(Do.START_TIME_SERVICE, desk.refused())
    desk.is_whole()
