"""The record is written over the one that was seen, and over no other; a look tells of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.samples import OURS, RECORD

from contract.half import HERE, Half
from rpool.errors import Refused
from rpool.model import action as act
from rpool.model.record import Record

FIRST = replace(RECORD, change="00c0ffee", generation=1)
NEXT = replace(RECORD, generation=2)
THEIRS = replace(RECORD, change="5ca1ab1e", generation=2)


@pytest.fixture
def half(half: Half) -> Half:
    """Its server is a control plane of ours."""
    half.claim()
    half.serve()
    return half


def write(half: Half, record: Record, over: str) -> None:
    half.act(act.WriteRecord(HERE, OURS, record, over))


def there(half: Half) -> Record | None:
    return half.world.observe(HERE).record


def test_a_cluster_has_no_record_before_the_first(half: Half) -> None:
    assert there(half) is None


@pytest.mark.parametrize("over", ["", FIRST.change])
def test_the_first_is_written_whatever_was_seen_before(half: Half, over: str) -> None:
    write(half, NEXT, over)
    assert there(half) == NEXT


def test_one_is_written_over_the_one_that_was_seen(half: Half) -> None:
    write(half, FIRST, "")
    write(half, NEXT, FIRST.change)
    assert there(half) == NEXT


@pytest.mark.parametrize("over", ["", FIRST.change])
def test_one_is_written_over_that_of_the_same_change(half: Half, over: str) -> None:
    write(half, FIRST, "")
    write(half, NEXT, FIRST.change)
    settled = replace(NEXT, settled=NEXT.wanted, wanted=None)
    write(half, settled, over)
    write(half, settled, over)
    assert there(half) == settled


@pytest.mark.parametrize("over", ["", FIRST.change])
def test_none_is_written_over_that_of_another_operation(half: Half, over: str) -> None:
    write(half, THEIRS, "")
    with pytest.raises(Refused, match="another operation works on the cluster") as caught:
        write(half, NEXT, over)
    assert caught.type is Refused
    assert there(half) == THEIRS
