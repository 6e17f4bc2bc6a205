"""Every script that changes something can be killed after any line. Done again, or taken back, it
ends as one that was never cut off, and nothing half stays.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds.samples import changing

from cuts.cases import Case, cases
from cuts.runs import Cut, Runs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

SEED = int(os.environ.get("RPOOL_CUTS_SEED", "1"))
PARTS = 4
Count = Callable[[str, object], None]
CASES = [pytest.param(case, id=case.name) for case in cases()]


@pytest.fixture
def count(record_property: Count) -> Count:
    """Adds to the figure that is printed at the end of a run (conftest.py)."""
    return record_property


def test_every_action_that_changes_something_is_cut() -> None:
    cut = {case.action for case in cases()}
    assert {type(action) for action in changing()} <= cut


@pytest.mark.parametrize("case", CASES)
def test_a_script_is_whole_after_some_cut(case: Case, tmp_path: Path, count: Count) -> None:
    runs = Runs(case, tmp_path)
    chance = random.Random(f"{SEED} {case.name}")  # noqa: S311 a sample, and no secret
    check(runs, [chance.choice(runs.cuts)], count)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("case", CASES)
def test_a_script_is_whole_after_any_cut(
    case: Case, part: int, tmp_path: Path, count: Count
) -> None:
    runs = Runs(case, tmp_path)
    assert part or runs.changed_by_tracing() == []
    check(runs, runs.cuts[part::PARTS], count)


def check(runs: Runs, cuts: list[Cut], count: Count) -> None:
    wrong = [problems for each in cuts if (problems := runs.wrong(each))]
    count("cuts", len(cuts))
    report = "\n".join("\n  ".join(problems) for problems in wrong)
    assert not wrong, f"{len(wrong)} of {len(cuts)} (RPOOL_CUTS_SEED={SEED}):\n{report}"
