"""What is said of a server that cannot be reached, or has no cluster to tell of."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from worlds.samples import OURS

from contract.half import HERE, SILENT, UNKNOWN, Half
from rpool.certificates import check_issued, new_request
from rpool.errors import CommandFailed, RpoolError, TimedOut, Unreachable
from rpool.model import action as act
from rpool.model.claim import Fence, Phase
from rpool.model.inspection import Trial
from rpool.model.world import World


def lock(world: World, server: str) -> None:
    with world.lock(server, OURS.uid):
        pass


CONTACTS: dict[str, Callable[[World, str], object]] = {
    "probe": lambda world, name: world.probe(name),
    "fence": lambda world, name: world.probe(name, Fence(OURS.uid, OURS.session)),
    "observe": lambda world, name: world.observe(name),
    "encryption": lambda world, name: world.encryption(name),
    "etcd": lambda world, name: world.etcd_members(name),
    "working": lambda world, name: world.working(name),
    "api": lambda world, name: world.reaches_api(name),
    "packages": lambda world, name: world.kubernetes_packages(name, "1.36"),
    "inspection": lambda world, name: world.inspect(name, Trial(None, (), (), (), ())),
    "requests": lambda world, name: world.requested(name),
    "journal": lambda world, name: world.journal(name, 10),
    "address": lambda world, name: world.address_answers(name, "10.0.1.200"),
    "sign": lambda world, name: world.sign(name, new_request("ann", ())[0], 600),
    "action": lambda world, name: world.carry_out(act.SetPhase(name, OURS, Phase.MEMBER), 60),
    "lock": lock,
}
ANY_CONTACT = pytest.mark.parametrize("contact", CONTACTS.values(), ids=list(CONTACTS))


@ANY_CONTACT
def test_a_server_that_is_silent_is_out_of_reach(
    half: Half, contact: Callable[[World, str], object]
) -> None:
    with pytest.raises(Unreachable) as caught:
        contact(half.world, SILENT)
    assert SILENT in caught.value.summary
    assert caught.value.retryable


@ANY_CONTACT
def test_a_server_that_the_fleet_does_not_have_is_not_asked_again(
    half: Half, contact: Callable[[World, str], object]
) -> None:
    with pytest.raises(Unreachable, match=f"{UNKNOWN} is no longer in the fleet") as caught:
        contact(half.world, UNKNOWN)
    assert not caught.value.retryable


def test_nothing_works_on_a_server_that_is_left_alone(half: Half) -> None:
    assert half.world.working(HERE) is None
    half.claim()
    half.prepare()
    half.serve()
    before = half.everything()
    assert half.world.working(HERE) is None
    assert half.everything() == before


@pytest.mark.parametrize("is_claimed", [True, False])
@pytest.mark.parametrize("look", ["observe", "etcd", "requests", "sign"])
def test_a_server_without_a_control_plane_tells_of_no_cluster(
    half: Half, look: str, is_claimed: bool
) -> None:
    if is_claimed:
        half.claim()
    with pytest.raises(RpoolError) as caught:
        CONTACTS[look](half.world, HERE)
    assert caught.type is CommandFailed
    assert not caught.value.retryable


def test_a_control_plane_tells_of_its_cluster(half: Half) -> None:
    half.claim()
    half.serve()
    assert "BEGIN CERTIFICATE" in half.world.observe(HERE).ca_certificate


def test_a_cluster_signs_what_was_asked_for(half: Half) -> None:
    half.claim()
    half.serve()
    request, _ = new_request("ann", ["team-a", "team-b"])
    certificate = half.world.sign(HERE, request, 3600)
    ends = check_issued(certificate, request, half.world.observe(HERE).ca_certificate)
    assert ends > time.time()


@pytest.mark.parametrize("serves", [True, False])
def test_a_node_that_does_not_get_ready_takes_all_of_the_time(half: Half, serves: bool) -> None:
    half.claim()
    if serves:
        half.serve()
    with pytest.raises(TimedOut):
        half.act(act.AwaitReady(HERE, (SILENT,)), 6)
