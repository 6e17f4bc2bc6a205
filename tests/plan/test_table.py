"""The ladder's table: what was observed beside what is desired, and the steps that are left.

A row is a few lines of YAML: see cases/README.md.
"""

from __future__ import annotations

import re

import pytest

from plan.planned import planned
from plan.table import BadCase, Case, all_cases, expected, read, shown, waits
from rpool.errors import RpoolError

TABLE = dict(all_cases())


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_the_table(case: Case) -> None:
    if case.raises is not None:
        with pytest.raises(RpoolError) as caught:
            planned(case)
        assert case.raises in str(caught.value)
        return
    plan = planned(case)
    wanted, actual = expected(case), waits(plan.steps)
    text = f"the plan is:\n{shown(plan)}"
    assert set(wanted) == set(actual), text
    for name, needs in wanted.items():
        assert needs is None or needs == actual[name], f"{name} waits for others; {text}"
    errors = [str(error) for error in plan.blocked]
    assert len(errors) == len(case.blocked), text
    for phrase in case.blocked:
        assert any(phrase in error for error in errors), f"nothing says {phrase!r}; {text}"


ROW = """
A title:
  servers: {m1: control_plane, w1: "worker, silent"}
  desired: {control_planes: [m1]}
  steps: {}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("silent", "sileny", "w1: 'sileny' is none of another's, claimed"),
        ("control_plane,", "head,", "m1: 'head' is none of control_plane, worker, spare"),
        ("[m1]", "[m2]", "m2: not among the case's servers"),
        ("control_planes:", "heads:", "desired.heads: Extra inputs are not permitted"),
        ("steps: {}", "step: {}", "step: Extra inputs are not permitted"),
        ("steps: {}", "why: it depends", "a case has `steps`"),
        ("steps: {}", "steps: {}\n  raises: it", "a case has `steps`"),
        ("steps: {}", "steps: {}\n  steps: {}", "steps is there twice"),
        ("A title:", "- case:", "a file has cases by their titles"),
    ],
)
def test_a_mistake_in_a_row_is_told_with_its_place(right: str, wrong: str, message: str) -> None:
    with pytest.raises(BadCase, match=re.escape(message)):
        read(ROW.replace(right, wrong), "rows.yaml")
    assert read(ROW, "rows.yaml")
