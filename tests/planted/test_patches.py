"""The planted bugs can still be planted. That each is caught takes minutes: `make planted`."""

from __future__ import annotations

import pytest

from planted.patches import AT_LEAST, ROOT, Planted, all_of_them

BUGS = all_of_them()


def test_there_are_as_many_as_are_promised() -> None:
    assert len(BUGS) >= AT_LEAST
    assert len({bug.bug for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("planted", BUGS, ids=lambda bug: bug.name)
def test_it_can_be_planted_and_what_catches_it_is_there(planted: Planted) -> None:
    assert planted.why_not_applied(ROOT, "--check") == ""
    for test in planted.caught_by:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text() or not name, test
