"""The checker tells histories of a register from those that no register can have."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from fault.linear import NEVER, Answer, Call, Value, is_linearizable

A, B = ("a", 1), ("b", 1)


def take(ours: Value, called: float, returned: float, answer: Answer = Answer.DONE) -> Call:
    return Call(called, returned, (None, ours), ours, answer)


def over(there: Value, ours: Value, called: float, returned: float) -> Call:
    return Call(called, returned, (there, ours), ours)


def look(value: Value, called: float, returned: float) -> Call:
    return Call(called, returned, (value,), value)


def give_up(ours: Value, called: float, returned: float, answer: Answer = Answer.DONE) -> Call:
    return Call(called, returned, (ours,), None, answer)


def lost(call: Call) -> Call:
    """The same call, with an unknown outcome."""
    return replace(call, returned=NEVER, answer=Answer.UNKNOWN)


@pytest.mark.parametrize(
    "calls",
    [
        [],
        [take(A, 0, 1), look(A, 2, 3), give_up(A, 4, 5), take(B, 6, 7)],
        [take(A, 0, 1), take(A, 2, 3)],
        [take(A, 0, 9), look(None, 1, 2), look(A, 3, 4)],
        [take(A, 0, 9), take(B, 1, 8, Answer.REFUSED)],
        [take(A, 0, 1), over(A, B, 2, 3), give_up(A, 4, 5, Answer.REFUSED)],
        [lost(take(A, 0, 0)), look(None, 1, 2), look(A, 3, 4)],
        [lost(take(A, 0, 0)), look(None, 1, 2), take(B, 3, 4)],
        [take(A, 0, 1), lost(give_up(A, 2, 2)), look(A, 3, 4), look(None, 5, 6), take(B, 7, 8)],
    ],
)
def test_what_a_register_can_have_told(calls: list[Call]) -> None:
    assert is_linearizable(calls)


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([take(A, 0, 1), take(B, 2, 3)], id="two owners"),
        pytest.param([take(A, 0, 9), take(B, 1, 8)], id="two owners at once"),
        pytest.param([take(A, 0, 1), look(None, 2, 3)], id="a claim that is lost"),
        pytest.param([look(A, 0, 1), take(A, 2, 3)], id="a look at what is yet to come"),
        pytest.param([take(A, 0, 9), look(A, 1, 2), look(None, 3, 4)], id="there, and not there"),
        pytest.param([take(A, 0, 1, Answer.REFUSED)], id="refused, and nobody has it"),
        pytest.param(
            [take(A, 0, 1), over(A, B, 2, 3), look(A, 4, 5)], id="taken over, and still there"
        ),
        pytest.param(
            [take(A, 0, 1), lost(give_up(A, 2, 2)), look(None, 3, 4), look(A, 5, 6)],
            id="given up late, and back",
        ),
        pytest.param(
            [take(A, 0, 1), over(A, B, 2, 3), give_up(A, 4, 5)], id="given up by the former owner"
        ),
    ],
)
def test_what_no_register_can_have_told(calls: list[Call]) -> None:
    assert not is_linearizable(calls)


def test_it_says_of_small_histories_what_trying_every_order_says() -> None:
    verdicts = set()
    for seed in range(300):
        chance = random.Random(seed)  # noqa: S311 not for secrets
        calls = [_any_call(chance) for _ in range(chance.randint(1, 5))]
        verdict = is_linearizable(calls)
        assert verdict == _by_every_order(calls), calls
        verdicts.add(verdict)
    assert verdicts == {True, False}


def _any_call(chance: random.Random) -> Call:
    called = chance.randint(0, 9)
    returned = called + chance.randint(1, 5)
    ours = chance.choice([A, B])
    kind = chance.choice([take, give_up, look])
    if kind is look:
        return look(chance.choice([None, A, B]), called, returned)
    answer = chance.choice([Answer.DONE, Answer.DONE, Answer.REFUSED, Answer.UNKNOWN])
    return kind(ours, called, NEVER if answer is Answer.UNKNOWN else returned, answer)  # type: ignore[operator, no-any-return]


def _by_every_order(calls: list[Call]) -> bool:
    unknown = [call for call in calls if call.answer is Answer.UNKNOWN]
    known = [call for call in calls if call.answer is not Answer.UNKNOWN]
    for count in range(len(unknown) + 1):
        for happened in itertools.combinations(unknown, count):
            if any(_explains(order) for order in itertools.permutations([*known, *happened])):
                return True
    return False


def _explains(order: tuple[Call, ...]) -> bool:
    value: Value = None
    for i, call in enumerate(order):
        late = any(later.returned < call.called for later in order[i + 1 :])
        if late or not call.explains(value):
            return False
        value = call.after(value)
    return True
