"""A server at which something failed: others come first, and one that alone failed is set aside."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

import pytest
from following import Desk, follows, read, with_cluster
from worlds.fault import Fault
from worlds.stage import SPEC, Stage

from rpool.advice import Do
from rpool.api import Attempt
from rpool.errors import CommandFailed, Refused, TimedOut, Unreachable
from rpool.model import action as act
from rpool.model.failure import Failure

BIGGER = replace(SPEC, cores=24, memory_gib=48)
FAR_BIGGER = replace(SPEC, cores=32, memory_gib=64)
FAILS = CommandFailed("kubeadm join failed (exit 1)", "x509: no such thing")
PUT_THERE = Failure("2026-11-29T10:00:00+00:00", "join", "other", "it failed")


def apply(desk: Desk) -> tuple[list[str], list[str]]:
    run = desk.state.apply(desk.wanted, threading.Event())
    return run.errors, run.warnings


def joining(desk: Desk, *cores: int) -> str:
    """The server that joins first when the cluster grows, by its plan."""
    desk.stage.open()
    view = desk.view()
    planned = desk.stage.plan(view, BIGGER, SPEC)
    (name,) = planned.joining
    return name


def test_one_that_fails_to_join_is_replaced_by_the_next_plan_and_taken_last_afterwards() -> None:
    desk = with_cluster()
    bad = joining(desk)
    desk.write(BIGGER)
    with desk.stage.faults(Fault(act.Join, FAILS, servers=bad)):
        errors, _ = apply(desk)
    assert any("kubeadm join failed" in error for error in errors)
    (failure,) = desk.stage.machine(bad).failures
    assert (failure.step, failure.cluster, failure.aside) == ("join", "batch", False)
    errors, warnings = apply(desk)
    assert errors == []
    text = "\n".join(warnings)
    assert f"{bad} has not joined: join for cluster batch failed at " in text
    assert f"Leaving: {bad} (failed to join)." in text
    assert bad not in desk.view().servers
    assert desk.stage.machine(bad).claim is None
    desk.is_whole()
    desk.write(FAR_BIGGER)
    desk.is_whole()
    assert bad not in desk.view().servers


def test_where_there_is_no_other_it_is_tried_again_and_what_failed_is_forgotten_then() -> None:
    desk = with_cluster(count=6)
    bad = joining(desk)
    desk.write(BIGGER)
    with desk.stage.faults(Fault(act.Join, FAILS, servers=bad)):
        assert apply(desk)[0]
    desk.is_whole()
    assert bad in desk.view().servers
    assert desk.stage.machine(bad).failures == []


@follows(Do.LIFT)
def test_one_that_failed_where_another_did_not_is_set_aside_until_it_is_released() -> None:
    desk = with_cluster(count=7)
    bad = joining(desk)
    desk.write(FAR_BIGGER)
    with desk.stage.faults(Fault(act.Join, FAILS, servers=bad)):
        assert apply(desk)[0]
    (failure,) = desk.stage.machine(bad).failures
    assert failure.aside
    desk.write(BIGGER)
    desk.is_whole()
    desk.write(FAR_BIGGER)
    (error,), _ = apply(desk)
    assert f"{bad}: quarantined: join for cluster batch failed at " in error
    read(Do.LIFT, error, server=bad)
    desk.stage.open()
    assert desk.stage.site.lift(bad) == (failure,)
    desk.is_whole()
    assert bad in desk.view().servers


@pytest.mark.parametrize("kind", [act.Prepare, act.Join])
def test_a_create_that_replaces_one_leaves_that_behind(kind: type) -> None:
    stage = Stage(9)
    bad = "r1u03"
    with stage.faults(Fault(kind, TimedOut("it took too long"), servers=bad)):
        view = stage.site.create_pool(SPEC, stage.attempt())
    assert bad not in view.servers
    assert [failure.why for failure in stage.machine(bad).failures] == ["it took too long"]


def test_a_create_takes_one_at_which_something_failed_only_where_it_has_to() -> None:
    stage = Stage(6)
    bad = "r1u03"
    stage.machine(bad).failures.append(PUT_THERE)
    likely = stage.site.advise(SPEC).likely
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert bad not in view.servers
    assert likely.keys() == view.servers.keys()
    few = Stage(5)
    few.machine(bad).failures.append(PUT_THERE)
    likely = few.site.advise(SPEC).likely
    assert few.site.create_pool(SPEC, few.attempt()).servers.keys() == likely.keys()
    assert bad in likely


@pytest.mark.parametrize("why", [Unreachable("no route"), Refused("it is busy")])
def test_what_is_not_the_server_is_not_noted(why: Exception) -> None:
    desk = with_cluster()
    bad = joining(desk)
    desk.write(BIGGER)
    with desk.stage.faults(Fault(act.Join, why, servers=bad)):
        assert apply(desk)[0]
    assert desk.stage.machine(bad).failures == []


def test_nothing_is_noted_when_the_time_is_up() -> None:
    desk = with_cluster()
    bad = joining(desk)
    stop = threading.Event()
    desk.write(BIGGER)
    stops = Fault(act.Join, lambda call: stop.set(), servers=bad)
    with desk.stage.faults(stops, Fault(act.Join, FAILS, servers=bad)):
        assert desk.state.apply(desk.wanted, stop).errors
    assert desk.stage.machine(bad).failures == []


def test_what_a_reset_cannot_clean_keeps_its_claim_and_says_why() -> None:
    desk = with_cluster(BIGGER)
    desk.write(SPEC)
    with desk.stage.faults(Fault(act.Reset, CommandFailed("it is not clean"))) as (struck,):
        assert apply(desk)[0]
    bad = struck[0].server
    assert desk.stage.machine(bad).claim is not None
    assert [(failure.step, failure.aside) for failure in desk.stage.machine(bad).failures] == [
        ("reset", False)
    ]
    desk.is_whole()
    assert desk.stage.machine(bad).claim is None


def test_one_that_the_preflight_refused_is_not_planned_again() -> None:
    desk = with_cluster()
    bad = joining(desk)
    desk.stage.machine(bad).blocked = ("tcp/10250",)
    desk.write(BIGGER)
    (error,), _ = apply(desk)
    assert "cannot take the servers that were planned" in error
    assert [failure.step for failure in desk.stage.machine(bad).failures] == ["preflight"]
    desk.is_whole()
    assert bad not in desk.view().servers


def test_release_says_what_it_forgot_and_refuses_where_there_is_nothing() -> None:
    desk = with_cluster()
    free = next(n for n, m in sorted(desk.stage.world.machines.items()) if m.claim is None)
    desk.stage.machine(free).failures.append(PUT_THERE)
    desk.stage.open()
    assert desk.stage.site.lift(free) == (PUT_THERE,)
    with pytest.raises(Refused, match="nothing has failed"):
        desk.stage.site.lift(free)
    taken = desk.workers()[0]
    with pytest.raises(Refused, match=r"is claimed by cluster batch[\s\S]*--claim"):
        desk.stage.site.lift(taken)


def test_a_release_of_a_claim_forgets_as_well() -> None:
    desk = with_cluster()
    dead = desk.workers()[-1]
    desk.power(dead, on=False)
    desk.state.clusters["batch"].values["destroy"] = {"on_unreachable": "abandon"}
    uid = desk.view().uid
    desk.write()
    apply(desk)
    desk.power(dead, on=True)
    desk.stage.machine(dead).failures.append(PUT_THERE)
    desk.stage.open()
    with closing(desk.stage.site) as site:
        site.release(dead, uid, Attempt(timeout_seconds=60))
    assert desk.stage.machine(dead).failures == []


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "7", '{"format": 2, "aside": false}', '{"format": 1}', "[" * 9000]
)
def test_what_cannot_be_read_sets_aside(line: str) -> None:
    assert Failure.of_line(line).aside


def test_a_line_is_short_and_steers_no_terminal() -> None:
    failure = Failure("x" * 999, "join", "\x1b[2J", "y" * 999)
    reread = Failure.of_line(failure.as_line())
    assert len(reread.at) == len(reread.why) == 200
    assert "\x1b" not in reread.cluster
