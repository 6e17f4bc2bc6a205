"""Every script that changes something can be killed after any line: done again, or taken back, it
ends as one that nobody has cut off, and nothing half stays.
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
SAMPLE = 2
PARTS = 4
CASES = [pytest.param(case, id=case.name) for case in cases()]


def test_every_action_that_changes_something_is_cut() -> None:
    cut = {case.action for case in cases()}
    assert {type(action) for action in changing()} <= cut


def check(case: Case, cuts: Callable[[list[Cut]], list[Cut]], folder: Path) -> int:
    """The number of cuts that were made."""
    runs = Runs(case, folder)
    assert runs.whole.codes == [0] * len(case.whole), runs.whole.said
    chosen = cuts(runs.cuts)
    wrong = [found for each in chosen if (found := runs.wrong(each))]
    told = "\n".join("\n  ".join(found) for found in wrong)
    assert not wrong, f"{len(wrong)} of {len(chosen)} (seed {SEED}):\n{told}"
    return len(chosen)


@pytest.mark.parametrize("case", CASES)
def test_some_cuts(
    case: Case, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    def some(cuts: list[Cut]) -> list[Cut]:
        chance = random.Random(f"{SEED} {case.name}")  # noqa: S311 a sample, and no secret
        return chance.sample(cuts, min(SAMPLE, len(cuts)))

    record_property("cuts", check(case, some, tmp_path))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("case", CASES)
def test_all_cuts(
    case: Case, part: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("cuts", check(case, lambda cuts: cuts[part::PARTS], tmp_path))
