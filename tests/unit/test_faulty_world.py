"""Faults do what they say: a test that uses one would prove nothing otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from worlds.fault import (
    ACTIONS,
    AFTER,
    BEFORE,
    CHANGES,
    INSTEAD,
    AddressAnswers,
    Answer,
    Break,
    Encryption,
    EtcdMembers,
    Fault,
    Lock,
    Look,
    Moment,
    Observe,
    Packages,
    Probe,
)
from worlds.stage import BIGGER, FOREIGN, SPEC, Stage, killed, made

from rpool.errors import CommandFailed, OutcomeUnknown, Refused, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.server import Role
from rpool.model.world import World

CLAIM = Claim("0badcafe", "batch", "ann", Role.WORKER, Phase.MEMBER, 1, "2026-01-01", "r1u01", "")
OURS = CLAIM.ownership
NO = CommandFailed("no")
FIRST, SECOND, THIRD = "r1u00", "r2u01", "r3u02"


@pytest.fixture
def stage() -> Stage:
    return Stage(3)


def claim_of(name: str) -> Claim:
    return replace(CLAIM, server=name)


def claim(stage: Stage, *names: str) -> list[str | None]:
    """The error of each claim, None for success; the servers are claimed in turn."""
    answers: list[str | None] = []
    for name in names:
        try:
            stage.faulty.carry_out(act.TakeClaim(name, claim_of(name)), 60)
        except RpoolError as error:
            answers.append(error.summary)
        else:
            answers.append(None)
    return answers


def prepare(stage: Stage) -> dict[str, RpoolError | None]:
    """The error of each of the three, None for success; they are claimed, and prepared together."""
    assert claim(stage, FIRST, SECOND, THIRD) == [None] * 3
    done: dict[str, RpoolError | None] = {}
    actions = [
        act.Prepare(name, OURS, "1.36.3", SPEC.kubeadm, "flannel", 1, 1)
        for name in (FIRST, SECOND, THIRD)
    ]
    stage.faulty.prepare(actions, 60, done.__setitem__)
    return done


def prepared(stage: Stage) -> set[str]:
    return {name for name, machine in stage.world.machines.items() if machine.prepared_for}


def acted(stage: Stage, kind: type[act.Action]) -> list[str]:
    return [action.server for action in stage.acted if isinstance(action, kind)]


@pytest.mark.parametrize(
    ("does", "at", "answer", "claimed"),
    [
        (NO, BEFORE, "no", set()),
        (NO, INSTEAD, "no", set()),
        (NO, AFTER, "no", {FIRST}),  # its answer is lost
        (OutcomeUnknown("?"), BEFORE, "?", set()),
        (OutcomeUnknown("?"), AFTER, "?", {FIRST}),
        (lambda _: None, BEFORE, None, {FIRST}),
        (lambda _: None, INSTEAD, None, set()),  # it says that it was done
        (lambda _: None, AFTER, None, {FIRST}),
        (Break.KILLED, BEFORE, "killed", set()),
        (Break.KILLED, INSTEAD, "killed", set()),
        (Break.KILLED, AFTER, "killed", {FIRST}),
        (Break.LOCKS_LOST, BEFORE, None, {FIRST}),
    ],
)
def test_an_action_has_its_effect_and_its_answer_as_the_fault_says(
    stage: Stage, does: object, at: Moment, answer: str | None, claimed: set[str]
) -> None:
    fault = Fault(act.TakeClaim, does, at)  # type: ignore[arg-type]
    with stage.faults(fault) as (struck,):
        assert claim(stage, FIRST) == [answer]
    assert stage.claimed() == claimed == set(acted(stage, act.TakeClaim))
    assert struck == [act.TakeClaim(FIRST, claim_of(FIRST))]
    assert stage.faulty.fired == {fault.name: 1}
    assert claim(stage, FIRST) == [None]  # the fault is over


@pytest.mark.parametrize("at", list(Moment))
def test_one_of_many_that_are_prepared_together_fails_alone(stage: Stage, at: Moment) -> None:
    with stage.faults(Fault(act.Prepare, NO, at, servers=SECOND)):
        assert prepare(stage) == {FIRST: None, SECOND: NO, THIRD: None}
    expected = {FIRST, SECOND, THIRD} if at is AFTER else {FIRST, THIRD}
    assert prepared(stage) == expected == set(acted(stage, act.Prepare))


def test_one_of_many_says_that_it_is_prepared_and_is_not(stage: Stage) -> None:
    with stage.faults(Fault(act.Prepare, lambda _: None, INSTEAD, servers=SECOND)):
        assert prepare(stage) == {FIRST: None, SECOND: None, THIRD: None}
    assert prepared(stage) == {FIRST, THIRD}


@pytest.mark.parametrize(
    ("first", "times", "answers"),
    [
        (1, None, ["no", "no", "no"]),
        (1, 1, ["no", None, None]),
        (2, 1, [None, "no", None]),
        (2, None, [None, "no", "no"]),
    ],
)
def test_the_nth_is_struck_and_so_many_after_it(
    stage: Stage, first: int, times: int | None, answers: list[str | None]
) -> None:
    with stage.faults(Fault(act.TakeClaim, NO, first=first, times=times)):
        assert claim(stage, FIRST, SECOND, THIRD) == answers


def test_only_what_a_fault_is_for_is_struck_and_counted(stage: Stage) -> None:
    on_one = Fault(act.TakeClaim, NO, servers=SECOND)
    on_some = Fault(
        act.TakeClaim, NO, servers=[THIRD], where=lambda action: action.claim == claim_of(THIRD)
    )
    other = Fault((act.Reset, act.SetPhase), NO, sure=False)
    with stage.faults(on_one, on_some, other) as struck:
        assert claim(stage, FIRST, SECOND, THIRD) == [None, "no", "no"]
    assert [len(calls) for calls in struck] == [1, 1, 0]


def test_a_fault_that_never_happened_fails_whatever_else_does(stage: Stage) -> None:
    fault = Fault(act.Reset, NO)
    with (
        pytest.raises(AssertionError, match="never happened: CommandFailed before Reset"),
        stage.faults(fault),
    ):
        claim(stage, FIRST)
    with pytest.raises(AssertionError, match="never happened"), stage.faults(fault):
        raise Unreachable("from something else")
    with stage.faults(replace(fault, sure=False)):
        pass


def test_what_an_error_keeps_from_happening_has_not_happened(stage: Stage) -> None:
    late = Fault(act.TakeClaim, lambda _: pytest.fail("it happened"), sure=False)
    with stage.faults(Fault(act.TakeClaim, NO), late) as struck:
        assert claim(stage, FIRST) == ["no"]
    assert [len(calls) for calls in struck] == [1, 0]


@pytest.mark.parametrize(
    ("on", "does", "at"),
    [
        (act.Join, CommandFailed, BEFORE),
        (Probe, lambda _: None, INSTEAD),
        (act.Join, Answer(lambda _: None), BEFORE),
    ],
)
def test_a_fault_that_could_not_happen_is_none(on: type, does: object, at: Moment) -> None:
    with pytest.raises(AssertionError):
        Fault(on, does, at)  # type: ignore[arg-type]


LOOKS: list[tuple[type[Look], Callable[[World], object]]] = [
    (Probe, lambda world: world.probe(FIRST)),
    (Observe, lambda world: world.observe(FIRST)),
    (EtcdMembers, lambda world: world.etcd_members(FIRST)),
    (Encryption, lambda world: world.encryption(FIRST)),
    (Packages, lambda world: world.kubernetes_packages(FIRST, "1.36")),
    (AddressAnswers, lambda world: world.address_answers(FIRST, "10.9.9.9")),
]


@pytest.mark.parametrize(("kind", "look"), LOOKS)
def test_a_look_fails_or_shows_something_else_or_something_happens_before_it(
    kind: type[Look], look: Callable[[World], object]
) -> None:
    stage, _ = made(7)
    order: list[str] = []
    with stage.faults(Fault(kind, NO, servers=FIRST, times=1)), pytest.raises(CommandFailed):
        look(stage.faulty)
    with stage.faults(Fault(kind, Answer(lambda answer: (type(answer), "and more")))):
        assert look(stage.faulty) == (type(look(stage.world)), "and more")
    with stage.faults(Fault(kind, lambda call: order.append(call.server))):
        look(stage.faulty)
    assert order == [FIRST]


def test_another_operator_is_at_work_before_a_look(stage: Stage) -> None:
    def take(look: Probe) -> None:
        stage.machine(look.server).claim = FOREIGN

    with stage.faults(Fault(Probe, take)):
        assert stage.faulty.probe(FIRST).claim == FOREIGN


def test_a_lock_is_refused_or_lost_or_its_release_goes_wrong(stage: Stage) -> None:
    place = (FIRST, "0badcafe")
    with (
        stage.faults(Fault(Lock, Refused("busy"), servers=FIRST)),
        pytest.raises(Refused, match="busy"),
        stage.faulty.lock(*place),
    ):
        pytest.fail("it was given")
    with (
        pytest.raises(EOFError),
        stage.faults(Fault(Lock, EOFError(), AFTER)),
        stage.faulty.lock(*place),
    ):
        assert stage.faulty.held == {place}
    assert stage.faulty.held == set()
    with (
        stage.faults(Fault(act.TakeClaim, Break.LOCKS_LOST, AFTER, first=2)),
        stage.faulty.lock(*place) as lock,
    ):
        claim(stage, FIRST)
        assert not lock.lost()
        claim(stage, SECOND)
        assert lock.lost()
        assert claim(stage, THIRD) == [None]


def test_nothing_reaches_a_server_after_a_kill(stage: Stage) -> None:
    place = (FIRST, "0badcafe")
    with killed(stage, act.TakeClaim, first=2) as last, stage.faulty.lock(*place):
        assert claim(stage, FIRST, SECOND, THIRD) == [None, "killed", "killed"]
        assert last == [act.TakeClaim(SECOND, claim_of(SECOND))]
        for _, look in LOOKS:
            with pytest.raises(Unreachable, match="killed"):
                look(stage.faulty)
        with pytest.raises(Unreachable, match="killed"), stage.faulty.lock(SECOND, "0badcafe"):
            pytest.fail("it was given")
    assert stage.claimed() == {FIRST, SECOND}
    assert stage.faulty.probe(FIRST).claim == claim_of(FIRST)  # another process


@pytest.mark.parametrize(("at", "also"), [(BEFORE, set()), (AFTER, {SECOND})])
def test_what_came_of_all_that_is_under_way_as_the_kill_comes_is_lost(
    stage: Stage, at: Moment, also: set[str]
) -> None:
    runs, dead = threading.Event(), threading.Event()

    def wait(_: act.Action) -> None:
        runs.set()
        assert dead.wait(60)

    slow = Fault(act.TakeClaim, wait, at, servers=SECOND)
    with (
        ThreadPoolExecutor(1) as thread,
        stage.faults(slow),
        killed(stage, act.TakeClaim, lambda action: action.server == FIRST),
    ):
        second = thread.submit(claim, stage, SECOND)
        assert runs.wait(60)
        assert claim(stage, FIRST) == ["killed"]
        dead.set()
        assert second.result() == ["killed"]
    assert stage.claimed() == {FIRST} | also


def test_many_threads_count_together() -> None:
    """The engine's executor calls from many at once."""
    stage = Stage(64)
    with (
        stage.faults(Fault(act.TakeClaim, NO, first=11, times=20)) as (struck,),
        ThreadPoolExecutor(16) as threads,
    ):
        answers = list(threads.map(lambda name: claim(stage, name)[0], stage.world.machines))
    assert (len(struck), answers.count("no"), len(stage.claimed())) == (20, 20, 44)


def test_any_action_is_any_but_lines_of_the_journal_change_nothing() -> None:
    assert set(ACTIONS) - set(CHANGES) == {act.AppendJournal}
    assert {act.TakeClaim, act.Prepare, act.Join, act.Reset} <= set(CHANGES)


def test_without_faults_it_is_the_world_that_it_goes_around() -> None:
    stage, view = made(9)
    assert stage.become(view, BIGGER).cores == BIGGER.cores
    assert stage.faulty.fired == {}
