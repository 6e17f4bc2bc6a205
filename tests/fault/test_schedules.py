"""Random schedules of operations and faults break no rule (see fault/schedule.py).

What is not held yet is left out, and said: actions that go on after their operator died (`LATE`)
have no fence, a destroy that was cut off is not taken back, and two clusters that want the same
servers of a full fleet may plan them in turns.
"""

from __future__ import annotations

from collections import Counter

import pytest

from fault.fate import Fault
from fault.schedule import Schedule

HELD = frozenset(Fault) - {Fault.LATE}
RUNS, SEEDS_A_RUN = 2, 150
LEAST_OF_EACH = 5


@pytest.mark.parametrize("run", range(RUNS))
def test_no_rule_is_broken_whatever_fails(run: int) -> None:
    """A failing seed is printed with its history: Schedule(SEED, ...).run() is the same again."""
    fired: Counter[Fault] = Counter()
    for seed in range(run * SEEDS_A_RUN, (run + 1) * SEEDS_A_RUN):
        schedule = Schedule(seed, HELD, keeps_the_half_destroyed=False, names=("batch",)).run()
        told = "\n".join(schedule.history)
        assert schedule.broken == [], f"seed {seed}: {schedule.broken}\n{told}"
        fired += schedule.fate.fired
    assert {kind for kind in HELD if fired[kind] < LEAST_OF_EACH} == set(), fired
