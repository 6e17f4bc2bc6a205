"""A schedule is the same run each time, and is shrunk to what it needs to fail."""

from __future__ import annotations

from pathlib import Path

import rpool.flow
from fault import in_turn
from fault.kinds import Fault
from fault.schedule import Round, Schedule, drawn
from fault.shrink import Rounds, shrunk

SEEDS = range(40, 48)


def test_a_seed_is_the_same_run_each_time() -> None:
    for seed in SEEDS:
        one, other = Schedule.of(seed).run(), Schedule.of(seed).run()
        assert one.history == other.history
        assert one.fate.fired == other.fate.fired


def test_nothing_of_the_engine_has_a_turn_or_a_chance_of_its_own() -> None:
    """in_turn.py replaces what starts threads, draws by chance or reads the time in rpool.flow."""
    flow = Path(rpool.flow.__path__[0])
    known = {Path(str(module.__file__)).name for module in in_turn.ALL}
    own = ("ThreadPoolExecutor", "threading.Thread(", "import random\n", "datetime.now(")
    modules = {path.name for path in flow.glob("*.py") if any(o in path.read_text() for o in own)}
    assert modules == known


def test_what_does_not_matter_is_left_out() -> None:
    def fails(rounds: Rounds) -> bool:
        faults = [fault for r in rounds for _, fault in r.faults]
        return Fault.LATE in faults and any(r.event == "power_goes" for r in rounds)

    many = (
        Round(1, "a_node", ((3, Fault.FAILS), (9, Fault.LATE)), "entries_back"),
        Round(2, "the_same_again", ((1, Fault.HALF),), "power_goes"),
        *drawn(3),
    )
    least = shrunk(many, fails)
    assert fails(least)
    assert [fault for r in least for _, fault in r.faults] == [Fault.LATE]
    assert [r.event for r in least if r.event] == ["power_goes"]
    assert len(least) <= 2
