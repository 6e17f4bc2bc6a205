"""What a hostile or an unlucky user makes of servers at which something fails."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from fault.half import half_done
from following import Desk, with_cluster
from test_repair import die, one_of
from worlds.fault import AFTER, Fault, Probe
from worlds.stage import FOREIGN, SPEC, Stage, servers

from rpool.decide.target import Current, Offer, Size, target
from rpool.errors import CommandFailed, Overtaken, Refused
from rpool.flow.choose import choose, foresee
from rpool.flow.doubts import MOST_DOUBTFUL
from rpool.flow.in_use import InUse
from rpool.model import action as act
from rpool.model.failure import Failure
from rpool.model.server import Fleet, Role

BIGGER = replace(SPEC, cores=24, memory_gib=48)
FAR_BIGGER = replace(SPEC, cores=32, memory_gib=64)
PUT_THERE = Failure("2026-11-29T10:00:00+00:00", "join", "other", "it failed")
FAILS = CommandFailed("kubeadm join failed (exit 1)", "x509: no such thing")


def errors(desk: Desk) -> list[str]:
    return desk.state.apply(desk.wanted, threading.Event()).errors


def spares(desk: Desk) -> set[str]:
    return desk.stage.world.machines.keys() - desk.stage.claimed()


def the_first(*kinds: type, why: Exception = FAILS, count: int = 1) -> Fault:
    """A fault of the first `count` servers that are acted on, then and at each later action."""
    struck: set[str] = set()

    def strike(call: Any) -> None:
        if len(struck) < count:
            struck.add(call.server)
        if call.server in struck:
            raise why

    return Fault(kinds, strike)


@pytest.mark.parametrize("kind", [act.Prepare, act.Join])
def test_a_mirror_that_is_down_for_days_costs_the_site_no_more_than_is_wanted(kind: type) -> None:
    desk = with_cluster(count=14)
    before = desk.stage.claimed()
    desk.write(BIGGER)
    with desk.stage.faults(Fault(kind, FAILS)):
        for _ in range(5):
            assert errors(desk)
            assert len(desk.stage.claimed() - before) == 1
    desk.is_whole()


def test_a_control_plane_that_fails_half_joined_is_in_the_way_of_no_other() -> None:
    """What it has left in etcd would keep all from joining."""
    desk = with_cluster()
    dead = one_of(desk, Role.CONTROL_PLANE)
    die(desk, dead)

    def half(join: Any) -> None:
        half_done(join, desk.stage.world)
        raise FAILS

    with desk.stage.faults(Fault(act.Join, half)) as (struck,):
        assert errors(desk)
    bad = struck[0].server
    assert bad in desk.stage.cluster(desk.view()).members
    with desk.stage.faults(Fault(act.Join, FAILS, servers=bad, sure=False)):
        desk.is_whole()
    assert bad not in desk.view().servers


def test_what_fails_on_several_sets_none_of_them_aside() -> None:
    """The API may have gone away while they joined, after the first was in."""
    desk = with_cluster(count=14)
    desk.write(replace(SPEC, cores=40, memory_gib=80))
    with desk.stage.faults(the_first(act.Join, count=2)):
        assert errors(desk)
    noted = [failure for m in desk.stage.world.machines.values() for failure in m.failures]
    assert [failure.aside for failure in noted] == [False, False]


def test_whom_another_operation_has_overtaken_notes_nothing() -> None:
    """What failed may have been ended by the other one."""
    desk = with_cluster(count=14)
    desk.write(FAR_BIGGER)
    late = Overtaken("a later operation has been there", "", 9)
    struck: list[str] = []

    def strike(call: Any) -> None:
        struck.append(call.server)
        raise FAILS if len(struck) == 1 else late

    with desk.stage.faults(Fault(act.Join, strike)):
        assert errors(desk)
    assert not any(m.failures for m in desk.stage.world.machines.values())


def test_a_create_on_a_site_where_all_has_failed_looks_at_no_more_than_it_has_to() -> None:
    stage, clean = Stage(200), Stage(200)
    for machine in stage.world.machines.values():
        machine.failures.append(PUT_THERE)
    looked_at: set[str] = set()
    before: set[str] = set()  # the first claim: afterwards all clusters of the site are looked for
    look = Fault(Probe, lambda probe: looked_at.add(probe.server))
    with stage.faults(look, Fault(act.TakeClaim, lambda _: before.update(looked_at), times=1)):
        likely = stage.site.advise(SPEC).likely
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert 0 < len(before) <= MOST_DOUBTFUL + 2 * len(view.servers)
    best = clean.site.create_pool(SPEC, clean.attempt()).servers
    assert {*view.servers} == {*likely} == {*best}


def test_of_two_that_failed_one_is_replaced_where_there_is_one_other() -> None:
    desk = with_cluster(count=8)
    desk.write(FAR_BIGGER)
    with desk.stage.faults(the_first(act.Join, count=2)):
        assert errors(desk)
        (good,) = spares(desk)
        failed = {n for n, m in desk.stage.world.machines.items() if m.failures}
        assert errors(desk)
        assert good in desk.view().servers
        assert len(failed & desk.view().servers.keys()) == 1
    desk.is_whole()


def test_one_that_failed_is_replaced_though_there_is_none_for_one_that_is_lost() -> None:
    fleet = {**servers(8).servers}
    lost, failed, spare, taken = "r3u05", "r2u04", "r1u06", "r2u07"
    fleet[lost] = replace(fleet[lost], cores=32, memory_gib=64)
    roles = dict.fromkeys(["r1u00", "r2u01", "r3u02"], Role.CONTROL_PLANE)
    roles |= dict.fromkeys(["r1u03", lost, failed], Role.WORKER)
    wanted = replace(SPEC, cores=48, memory_gib=96)
    current = Current(
        "0badcafe",
        Size.of(wanted),
        roles,
        joining=frozenset({failed}),
        lost=frozenset({lost}),
        failed=frozenset({failed}),
    )
    planned = target(wanted, current, Fleet(fleet), Offer(taken={taken: "it is another's"}))
    assert (*planned.joining, *planned.leaving) == (spare, failed)
    assert planned.no_spare is not None


@pytest.mark.parametrize("why", [CommandFailed("no space left on device"), Refused("it is busy")])
def test_those_that_look_free_and_take_no_claim_are_in_the_way_of_one_plan_each(
    why: Exception,
) -> None:
    """They have no space left, or lie; and nothing can be noted there."""
    desk = with_cluster(count=8)
    desk.write(BIGGER)
    with desk.stage.faults(the_first(act.TakeClaim, why=why, count=2)):
        assert errors(desk)
        assert errors(desk)
        desk.succeeds()


def test_one_that_is_released_may_be_claimed_by_another_cluster_at_once() -> None:
    desk = with_cluster()
    dead, uid = desk.workers()[-1], desk.view().uid
    die(desk, dead)
    desk.succeeds()
    machine = desk.stage.machine(dead)
    machine.powered = True
    machine.failures.append(replace(PUT_THERE, aside=True))

    def claim(_: object) -> None:
        assert machine.failures == []
        machine.claim = replace(FOREIGN, server=dead)

    desk.stage.open()
    with closing(desk.stage.site) as site, desk.stage.faults(Fault(act.Reset, claim, AFTER)):
        site.release(dead, uid, desk.stage.attempt())
    assert machine.claim is not None
    assert machine.claim.uid == FOREIGN.uid


@pytest.mark.parametrize("verb", ["foreseen", "chosen"])
def test_those_that_failed_come_before_those_that_another_cluster_of_the_run_is_to_get(
    verb: str,
) -> None:
    stage, in_use = Stage(7), InUse()
    failed, others = {"r1u03", "r2u04"}, {"r3u05", "r1u06"}
    assert in_use.reserve("other", others)
    for name in failed:
        stage.machine(name).failures.append(PUT_THERE)
    fleet = stage.site.config.fleet
    if verb == "chosen":
        roles = choose(SPEC, fleet, stage.faulty, in_use).roles
    else:
        roles = foresee(SPEC, fleet, stage.faulty, in_use).likely
    assert failed < roles.keys()
    assert not others & roles.keys()
