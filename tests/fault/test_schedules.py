"""Random schedules of operations and faults break no rule (see fault/schedule.py).

With everything at once: two clusters of one configuration on a fleet that hardly holds them, every
fault, a second operator, destroys that are taken back.
"""

from __future__ import annotations

from collections import Counter

import pytest

from fault.fate import Fault
from fault.schedule import Schedule

RUNS, SEEDS_A_RUN = 4, 125
LEAST_OF_EACH = 5


@pytest.mark.parametrize("run", range(RUNS))
def test_no_rule_is_broken_whatever_fails(run: int) -> None:
    """A failing seed is printed with its history: Schedule(SEED).run() is the same again."""
    fired: Counter[Fault] = Counter()
    for seed in range(run * SEEDS_A_RUN, (run + 1) * SEEDS_A_RUN):
        schedule = Schedule(seed).run()
        told = "\n".join(schedule.history)
        assert schedule.broken == [], f"seed {seed}: {schedule.broken}\n{told}"
        fired += schedule.fate.fired
    assert {kind for kind in Fault if fired[kind] < LEAST_OF_EACH} == set(), fired
