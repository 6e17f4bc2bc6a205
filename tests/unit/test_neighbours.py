"""A name, a virtual IP and a MetalLB address each belong to one cluster of a site."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from worlds.fault import Answer, Fault, Probe
from worlds.stage import SPEC, Stage, killed

from rpool.api import Attempt, Current, Offer, PoolIncomplete, Site, Size
from rpool.errors import CommandFailed, Refused, RpoolError
from rpool.flow import neighbours
from rpool.flow.neighbours import Taken
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.seen import Probed

SMALL = replace(SPEC, cores=8, memory_gib=16, metallb_pools={})


def at(vip: str, name: str, *ranges: str) -> PoolSpec:
    pools = {"default": ranges} if ranges else {}
    endpoint = ControlPlane(1, Endpoint(vip=vip))
    return replace(SMALL, name=name, control_plane=endpoint, metallb_pools=pools)


ONE = at("10.0.1.201", "one", "10.0.1.210-10.0.1.219")


def settled_one() -> Stage:
    stage = Stage(12)
    stage.site.create_pool(ONE, stage.attempt())
    stage.open()
    stage.acted.clear()
    return stage


def assert_refused(stage: Stage, spec: PoolSpec, said: str) -> None:
    """The create ends before kubeadm init; its servers are clean again, and no state has any."""
    before = stage.claimed()
    with pytest.raises(RpoolError) as caught:
        stage.site.create_pool(spec, stage.attempt())
    error = caught.value
    if isinstance(error, PoolIncomplete):
        assert error.view is None
        error = error.cause
    assert said in f"{error.summary}\n{error.detail}"
    assert "one" in f"{error.summary}\n{error.detail}"
    assert not any(isinstance(action, act.Init) for action in stage.acted)
    assert stage.claimed() == before
    others = [stage.machine(name) for name in stage.world.machines.keys() - before]
    assert all(machine.traces == () and machine.cluster is None for machine in others)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (at("10.0.1.202", "one"), "cluster one already exists"),
        (at("10.0.1.202", "two", "10.0.1.219/32"), "overlaps MetalLB range 10.0.1.210-10.0.1.219"),
        (at("10.0.1.215", "two"), "vip 10.0.1.215 lies inside MetalLB range"),
        (
            at("10.0.1.202", "two", "10.0.1.200/31"),
            "takes the vip 10.0.1.201 of cluster one",
        ),
    ],
)
def test_what_a_cluster_of_the_site_has_no_other_one_gets(spec: PoolSpec, said: str) -> None:
    assert_refused(settled_one(), spec, said)


def test_a_virtual_ip_in_use_is_refused_before_any_claim_and_the_error_says_whose() -> None:
    stage = settled_one()
    (server,) = stage.site.find_pool("one").view.control_planes
    claim = stage.machine(server).claim
    assert claim is not None
    with pytest.raises(Refused, match="cannot be created on the servers") as caught:
        stage.site.create_pool(at("10.0.1.201", "two"), stage.attempt())
    assert "vip 10.0.1.201 is in use" in caught.value.detail
    whose = (
        f"Cluster one (uid {claim.uid}, owner {claim.owner}, since {claim.since}) is on {server}"
    )
    assert f"{whose}: vip 10.0.1.201 is also the virtual IP of cluster one." in caught.value.detail
    assert stage.acted == []


def test_a_virtual_ip_that_nobody_answers_for_now_is_taken_all_the_same() -> None:
    """Its control plane has stepped down and serves no API; one worker answers."""
    stage = settled_one()
    for machine in stage.world.machines.values():
        if machine.vip:
            machine.stepped_down = True
    assert_refused(
        stage, at("10.0.1.201", "two"), "vip 10.0.1.201 is also the virtual IP of cluster"
    )


def test_addresses_that_a_cluster_got_later_are_its_own() -> None:
    stage = settled_one()
    view = stage.site.find_pool("one").view
    later = replace(ONE, metallb_pools={"default": ("10.0.1.230-10.0.1.239",)})
    roles = {name: member.role for name, member in view.servers.items()}
    stage.site.change_pool(view, later, roles, stage.attempt())
    stage.open()
    stage.acted.clear()
    assert_refused(stage, at("10.0.1.202", "two", "10.0.1.235/32"), "overlaps MetalLB range")
    assert stage.site.create_pool(at("10.0.1.202", "two", "10.0.1.215/32"), stage.attempt())


def test_a_change_takes_no_addresses_of_another_cluster() -> None:
    stage = settled_one()
    two = at("10.0.1.202", "two", "10.0.1.225/32")
    view = stage.site.create_pool(two, stage.attempt())
    roles = {name: member.role for name, member in view.servers.items()}
    stage.acted.clear()
    wider = replace(two, metallb_pools={"default": ("10.0.1.225/32", "10.0.1.219/32")})
    with pytest.raises(Taken, match="cluster two conflicts with another cluster") as caught:
        stage.site.change_pool(view, wider, roles, stage.attempt())
    assert "MetalLB range 10.0.1.219/32 overlaps" in caught.value.detail
    assert stage.acted == []
    other = replace(two, metallb_pools={"default": ("10.0.1.225/32", "10.0.1.220/32")})
    assert stage.site.change_pool(view, other, roles, stage.attempt())


@pytest.mark.threads
def test_a_range_that_moves_from_one_cluster_to_another_in_one_apply_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "AGAIN_SECONDS", 0.05)
    stage = settled_one()
    one = stage.site.find_pool("one").view
    two = at("10.0.1.202", "two")
    other = stage.site.create_pool(two, stage.attempt())
    stage.open()
    gives, takes = replace(ONE, metallb_pools={}), at("10.0.1.202", "two", "10.0.1.215/32")
    jobs = []
    for view, before, wanted in ((other, two, takes), (one, ONE, gives)):
        roles = {name: member.role for name, member in view.servers.items()}
        size = Size(view.cores, view.memory_gib, before.tolerate)
        stage.site.plan_pool(wanted, Current(view.uid, size, roles), Offer())
        jobs.append((view, wanted, roles))
    goes_first = threading.Event()
    with (
        stage.faults(Fault(act.WriteRecord, lambda _: goes_first.wait(20), servers=None, times=1)),
        ThreadPoolExecutor(2) as pool,
    ):
        running = [pool.submit(stage.site.change_pool, *job, stage.attempt()) for job in jobs]
        goes_first.set()
        assert [future.result(60).name for future in running] == ["two", "one"]


@pytest.mark.threads
def test_an_exchange_of_ranges_says_that_it_takes_two_applies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(neighbours, "LONGEST_SECONDS", 1.0)
    stage = settled_one()
    one = stage.site.find_pool("one").view
    other = stage.site.create_pool(at("10.0.1.202", "two", "10.0.1.230/32"), stage.attempt())
    stage.open()
    exchanged = {
        "one": at("10.0.1.201", "one", "10.0.1.230/32"),
        "two": at("10.0.1.202", "two", "10.0.1.210-10.0.1.219"),
    }
    stage.site._in_use.will_be.update(exchanged)
    with ThreadPoolExecutor(2) as pool:
        running = [
            pool.submit(
                stage.site.change_pool,
                view,
                exchanged[view.name],
                {name: member.role for name, member in view.servers.items()},
                stage.attempt(),
            )
            for view in (one, other)
        ]
        for future in running:
            with pytest.raises(Taken) as caught:
                future.result(60)
            assert "swap takes two" in caught.value.detail


def test_what_kept_servers_from_being_given_back_is_told_beside_the_reason() -> None:
    stage = settled_one()
    two = at("10.0.1.202", "two", "10.0.1.215/32")
    stuck = Fault(act.Reset, CommandFailed("reset went wrong"))
    with stage.faults(stuck), pytest.raises(PoolIncomplete) as caught:
        stage.site.create_pool(two, stage.attempt())
    assert "cluster two conflicts with another cluster" in caught.value.summary
    assert "overlaps MetalLB range" in caught.value.detail
    assert "reset went wrong" in caught.value.detail
    assert caught.value.view is not None


def test_a_create_that_goes_on_with_an_earlier_one_says_one_time_in_all_its_claims() -> None:
    """Otherwise two creates could each take the other for the later one."""
    stage = Stage(12)
    with killed(stage, act.Prepare), suppress(RpoolError):
        stage.site.create_pool(at("10.0.1.201", "one"), stage.attempt())
    times: set[str] = set()

    def note(action: act.Init) -> None:
        claims = [machine.claim for machine in stage.world.machines.values() if machine.claim]
        times.update(claim.since for claim in claims)

    with stage.faults(Fault(act.Init, note)):
        stage.site.create_pool(at("10.0.1.201", "one"), stage.attempt())
    assert len(times) == 1


@pytest.mark.threads
def test_a_cluster_that_is_being_destroyed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "AGAIN_SECONDS", 0.05)
    stage = settled_one()
    view = stage.site.find_pool("one").view
    others = Site(stage.site.config, connect=lambda _: stage.faulty)
    resetting, going_on = threading.Event(), threading.Event()

    def hold(_: act.Reset) -> None:
        resetting.set()
        going_on.wait(20)

    two = at("10.0.1.202", "two", "10.0.1.215/32")
    with ThreadPoolExecutor(2) as pool, stage.faults(Fault(act.Reset, hold)):
        destroyed = pool.submit(others.destroy_pool, view, stage.attempt())
        assert resetting.wait(20)
        made = pool.submit(stage.site.create_pool, two, stage.attempt())
        while not any(isinstance(action, act.Prepare) for action in stage.acted):
            threading.Event().wait(0.01)
        going_on.set()
        destroyed.result(60)
        assert made.result(60).name == "two"


@pytest.mark.threads
def test_of_two_creates_at_once_one_is_made_and_the_other_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever comes first, each in a process of its own, whatever their clocks say."""
    monkeypatch.setattr(neighbours, "AGAIN_SECONDS", 0.05)
    for seed in range(8):
        chance = random.Random(seed)  # noqa: S311 not for secrets
        stage = Stage(12)
        both = [at("10.0.1.201", "one"), at("10.0.1.201", "two")]

        def late(_: Any, chance: random.Random = chance) -> None:
            threading.Event().wait(chance.random() * 0.1)

        def made(spec: PoolSpec, stage: Stage = stage) -> str:
            site = Site(stage.site.config, connect=lambda _: stage.faulty)
            with suppress(RpoolError):
                return site.create_pool(spec, Attempt(60)).name
            return ""

        slow = Fault((act.TakeClaim, act.Prepare), late)
        with stage.faults(slow), ThreadPoolExecutor(2) as pool:
            names = list(pool.map(made, both))
        assert sorted(names) != ["one", "two"], seed
        claimed = {machine.claim.pool for machine in stage.world.machines.values() if machine.claim}
        assert claimed == {name for name in names if name}, seed
        assert len(claimed) == 1, f"{seed}: one of them is made"


def test_a_create_that_is_asked_to_stop_does_not_wait_for_another() -> None:
    """The other cluster seems to be leaving, for ever."""
    stage = settled_one()
    stop, looks = threading.Event(), []

    def leaves(probed: Probed) -> Probed:
        if probed.claim is None or not probed.claim.vip or probed.claim.pool != "one":
            return probed
        looks.append(probed)
        if len(looks) == 3:
            stop.set()
        return replace(probed, claim=replace(probed.claim, phase=Phase.LEAVING))

    two = at("10.0.1.202", "two", "10.0.1.215/32")
    begun = time.monotonic()
    with stage.faults(Fault(Probe, Answer(leaves))), pytest.raises(RpoolError):
        stage.site.create_pool(two, stage.attempt(stop=stop))
    assert stop.is_set()
    assert time.monotonic() - begun < neighbours.LONGEST_SECONDS / 2


def test_servers_that_do_not_answer_are_named() -> None:
    stage = settled_one()
    warnings: list[str] = []
    free = sorted(stage.world.machines.keys() - stage.claimed())
    silent = free[-1]
    stage.machine(silent).powered = False
    attempt = replace(stage.attempt(), warn=warnings.append)
    stage.site.create_pool(at("10.0.1.202", "two"), attempt)
    assert any(silent in text and "cluster two" in text for text in warnings)
    assert Taken.retryable is False
