"""A cluster's session lock on a server: one holder, whatever becomes of the server's claim."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.samples import CLAIM, FOREIGN, OURS

from contract.half import HERE, Half
from rpool.errors import ForeignClaim, LockHeld


def is_free(half: Half, uid: str = OURS.uid) -> bool:
    """Whether the lock can be had: LockHeld, and no other error, says that it cannot."""
    try:
        with half.world.lock(HERE, uid) as lock:
            assert not lock.lost()
    except LockHeld:
        return False
    return True


def test_a_lock_is_given_once_and_free_as_soon_as_it_is_let_go(half: Half) -> None:
    with half.world.lock(HERE, OURS.uid) as lock:
        assert not is_free(half)
        assert not lock.lost()
    for _ in range(20):
        assert is_free(half)


def test_a_lock_that_was_let_go_is_lost(half: Half) -> None:
    with half.world.lock(HERE, OURS.uid) as lock:
        pass
    assert lock.lost()


def test_an_error_lets_a_lock_go(half: Half) -> None:
    with pytest.raises(LookupError), half.world.lock(HERE, OURS.uid):
        raise LookupError
    assert is_free(half)


def test_a_lock_takes_nothing_of_a_server(half: Half) -> None:
    before = half.everything()
    with half.world.lock(HERE, OURS.uid):
        assert half.world.probe(HERE).is_spare
    assert half.everything() == before


def test_a_server_of_ours_gives_the_lock_whatever_its_epoch(half: Half) -> None:
    half.claim(replace(CLAIM, epoch=9))
    assert is_free(half)


def test_a_server_of_another_pool_gives_no_lock(half: Half) -> None:
    half.claim(FOREIGN)
    with (
        pytest.raises(ForeignClaim, match=f"is claimed by cluster {FOREIGN.pool}"),
        half.world.lock(HERE, OURS.uid),
    ):
        pass
    assert is_free(half, FOREIGN.uid)


def test_pools_do_not_lock_each_other(half: Half) -> None:
    with half.world.lock(HERE, OURS.uid) as ours, half.world.lock(HERE, FOREIGN.uid) as theirs:
        assert not (ours.lost() or theirs.lost())


def test_a_lock_outlives_the_reset_by_its_own_operation(half: Half) -> None:
    """An operation that replaces a control plane holds its lock until the whole change is done."""
    half.claim()
    with half.world.lock(HERE, OURS.uid) as lock:
        half.reset()
        assert not lock.lost()
        assert not is_free(half)
    assert is_free(half)


def test_whose_a_server_is_by_now_counts_before_who_holds_a_lock(half: Half) -> None:
    """It was reset under the lock, and another cluster has taken it."""
    half.claim()
    with half.world.lock(HERE, OURS.uid) as lock:
        half.reset()
        half.claim(FOREIGN)
        assert not lock.lost()
        assert is_free(half, FOREIGN.uid)
        with pytest.raises(ForeignClaim), half.world.lock(HERE, OURS.uid):
            pass
