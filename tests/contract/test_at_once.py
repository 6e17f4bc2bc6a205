"""Whatever is asked of a server's claim at once, the answers are those of one register.

The history of overlapping calls must fit into one order that explains every answer: see
`fault/linear.py`.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fault.linear import Answer, Call, Value, is_linearizable
from worlds.samples import CLAIM

from contract.half import HERE, Half
from rpool.errors import Refused
from rpool.model import action as act
from rpool.model.claim import Claim

OPERATORS, CALLS_EACH = 6, 5


@pytest.mark.parametrize("seed", range(2))
def test_what_several_are_told_of_a_claim_is_what_one_register_tells(half: Half, seed: int) -> None:
    """Each takes the server, takes it over from the claim that it saw there, or looks."""

    def operator(number: int) -> list[Call]:
        chance = random.Random(f"{seed} {number}")  # noqa: S311 not for secrets
        calls, claim = [], None
        for turn in range(CALLS_EACH):
            ours = replace(CLAIM, uid=f"0000000{number}", epoch=turn + 1)
            if chance.random() < 0.4:
                call, claim = _look(half)
                calls.append(call)
            else:
                over = claim if chance.random() < 0.7 else None
                calls.append(_take(half, ours, over))
        return calls

    with ThreadPoolExecutor(OPERATORS) as pool:
        history = [call for calls in pool.map(operator, range(OPERATORS)) for call in calls]
    assert is_linearizable(history), history
    assert {call.answer for call in history} == {Answer.DONE, Answer.REFUSED}


def _look(half: Half) -> tuple[Call, Claim | None]:
    called = time.monotonic()
    claim = half.world.probe(HERE).claim
    value = _value(claim)
    return Call(called, time.monotonic(), (value,), value), claim


def _take(half: Half, ours: Claim, over: Claim | None) -> Call:
    take = act.TakeClaim(HERE, ours, over.ownership if over else None)
    answer, called = Answer.DONE, time.monotonic()
    try:
        half.world.carry_out(take, 60)
    except Refused:  # another cluster has it, or another life of this one
        answer = Answer.REFUSED
    return Call(called, time.monotonic(), (_value(over), _value(ours)), _value(ours), answer)


def _value(claim: Claim | None) -> Value:
    return (claim.uid, claim.epoch) if claim else None
