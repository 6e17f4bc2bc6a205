"""What an operation says while it waits for what an earlier one has begun on a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from worlds.fault import Answer, AskWorking, Fault, Probe
from worlds.stage import FOREIGN, SMALLER, Stage, made

from rpool.errors import Unreachable
from rpool.flow.journal import Journal
from rpool.flow.waiting import TOLD_AFTER_SECONDS, Told
from rpool.model.claim import Fence
from rpool.model.event import Result
from rpool.model.seen import Working
from rpool.model.server import Role

HEAD, BUSY = "r1u00", "r2u01"
UID = FOREIGN.uid
FENCE = Fence(UID, 3)
LONG = 600.0
JOIN = Answer(lambda _: Working("kubeadm join as a worker", 83.4))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 3 * TOLD_AFTER_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def stage() -> Stage:
    """Two servers of one cluster; the first is its control plane."""
    stage = Stage(3)
    stage.machine(HEAD).claim = replace(FOREIGN, server=HEAD, role=Role.CONTROL_PLANE)
    stage.machine(BUSY).claim = replace(FOREIGN, server=BUSY)
    return stage


@contextmanager
def telling(stage: Stage, after_seconds: float) -> Iterator[Told]:
    with Journal("batch", stage.faulty, stage.attempt()) as journal:
        yield Told(stage.faulty, UID, journal, lambda: FENCE.session, after_seconds)


def busy(stage: Stage, then: Exception | None = None) -> Fault:
    """A probe for the fence does not end before the operation has told of it."""

    def wait(_: Probe) -> None:
        until(lambda: bool(stage.events))
        if then is not None:
            raise then

    return Fault(Probe, wait, servers=BUSY, where=lambda probe: probe.fence is not None)


def test_a_fence_that_takes_long_is_told_once_with_what_it_waits_for(stage: Stage) -> None:
    with telling(stage, 0.0) as told, stage.faults(busy(stage), Fault(AskWorking, JOIN)):
        told.probe(BUSY, FENCE)
    began, ended = stage.events
    assert (began.step, began.server, began.outcome) == (f"wait for {BUSY}", BUSY, Result.STARTED)
    assert "kubeadm join as a worker" in began.detail
    assert "83 s" in began.detail
    assert (ended.step, ended.server, ended.outcome) == (f"wait for {BUSY}", BUSY, Result.DONE)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(AskWorking, Answer(lambda _: None)), "it takes long to answer"),
        (Fault(AskWorking, Unreachable("no route to it")), "it does not answer (no route to it)"),
        (Fault(AskWorking, Answer(lambda _: Working("", 0.0))), "a step"),
    ],
)
def test_what_is_waited_for_is_guessed_by_nobody(stage: Stage, fault: Fault, said: str) -> None:
    with telling(stage, 0.0) as told, stage.faults(busy(stage), fault):
        told.probe(BUSY, FENCE)
    assert stage.events[0].detail.startswith(said)


def test_a_fence_that_is_not_had_is_told_with_why(stage: Stage) -> None:
    why = Unreachable(f"{BUSY} is busy")
    faults = (busy(stage, why), Fault(AskWorking, JOIN))
    with telling(stage, 0.0) as told, stage.faults(*faults), pytest.raises(Unreachable):
        told.probe(BUSY, FENCE)
    assert [(event.outcome, event.detail) for event in stage.events[1:]] == [
        (Result.FAILED, f"{BUSY} is busy")
    ]


def test_nothing_is_told_of_a_fence_that_is_had_at_once_nor_of_any_other_look(
    stage: Stage,
) -> None:
    with telling(stage, LONG) as told:
        told.probe(BUSY, FENCE)
    with telling(stage, 0.0) as told:
        told.probe(BUSY)
    assert stage.events == []


def test_whoever_follows_hears_of_it_before_any_plan_is_made(stage: Stage) -> None:
    """By the journal of a control plane that has answered by then."""
    journal = stage.machine(HEAD).journal

    def wait(_: Probe) -> None:
        until(lambda: bool(journal))

    fault = Fault(Probe, wait, servers=BUSY, where=lambda probe: probe.fence is not None)
    with telling(stage, 0.0) as told, stage.faults(fault, Fault(AskWorking, JOIN)):
        told.probe(HEAD)
        told.probe(BUSY, FENCE)
    assert len(journal) == 2
    assert stage.machine(BUSY).journal == []


def test_a_control_plane_that_is_waited_for_has_the_journal_itself(stage: Stage) -> None:
    journal = stage.machine(HEAD).journal

    def wait(_: Probe) -> None:
        until(lambda: bool(journal))

    fault = Fault(Probe, wait, servers=HEAD, where=lambda probe: probe.fence is not None)
    with telling(stage, 0.0) as told, stage.faults(fault, Fault(AskWorking, JOIN)):
        told.probe(HEAD, FENCE)
    assert len(journal) == 2


def test_an_apply_says_what_it_waits_for_while_it_does() -> None:
    stage, view = made()
    late = view.control_planes[-1]
    journals = [stage.machine(name).journal for name in view.control_planes]

    def wait(_: Probe) -> None:
        until(lambda: any(f"wait for {late}" in line for journal in journals for line in journal))

    stage.events.clear()
    fault = Fault(Probe, wait, servers=late, where=lambda probe: probe.fence is not None, times=1)
    begun = time.monotonic()
    with stage.faults(fault, Fault(AskWorking, JOIN)):
        stage.become(view, SMALLER)
    assert time.monotonic() - begun >= TOLD_AFTER_SECONDS
    waits = [event.outcome for event in stage.events if event.step == f"wait for {late}"]
    assert waits == [Result.STARTED, Result.DONE]
