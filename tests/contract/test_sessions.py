"""A later session fences the earlier ones: what they send late is refused by the server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.samples import ACTIONS, CLAIM, FOREIGN, OURS, named, owning

from contract.half import HERE, Half, refused
from rpool.errors import ForeignClaim, Overtaken, RpoolError
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Ownership, Phase

EARLIER, LATER = (replace(OURS, session=OURS.session + more) for more in (-1, 1))
WITHOUT = replace(OURS, session=0)


def journal(of: Ownership) -> Action:
    return act.AppendJournal(HERE, of, ("{}",))


def each_guard(of: Ownership) -> list[Action]:
    """An action that does little, for each way to hold the server."""
    return [
        act.RestartKubelet(HERE, of),  # alone
        act.RemoveMetalLB(HERE, of),  # together with others
        journal(of),  # briefly
        act.SetPhase(HERE, of, Phase.LEAVING),  # in turn
    ]


def try_to(half: Half, action: Action) -> None:
    """Tries the action, which may fail past the guard, where there is no API."""
    try:
        half.act(action)
    except RpoolError as error:
        assert not isinstance(error, Overtaken)


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize("action", owning(), ids=named)
def test_after_a_fence_no_action_of_an_earlier_session_is_done(half: Half, action: Action) -> None:
    half.claim()
    half.fence(LATER.session)
    refused(half, action, Overtaken, f"a later operation has worked on {HERE}")


def test_after_a_fence_no_preparation_of_an_earlier_session_is_done(half: Half) -> None:
    half.claim()
    half.fence(LATER.session)
    before = half.everything()
    results: dict[str, RpoolError | None] = {}
    prepare = next(action for action in ACTIONS if isinstance(action, act.Prepare))
    half.world.prepare([prepare], 120, results.__setitem__)
    assert type(results[HERE]) is Overtaken
    assert half.everything() == before


def test_a_spare_behind_a_fence_is_not_claimed_by_an_earlier_session(half: Half) -> None:
    half.fence(LATER.session)
    refused(half, act.TakeClaim(HERE, CLAIM), Overtaken, "a later operation")
    assert half.world.probe(HERE).is_spare
    half.claim(replace(CLAIM, session=LATER.session))


@pytest.mark.parametrize("kind", range(4), ids=["alone", "together", "briefly", "in turn"])
def test_each_action_fences_the_sessions_before_its_own(half: Half, kind: int) -> None:
    half.claim()
    try_to(half, each_guard(LATER)[kind])
    assert half.latest_session() == LATER.session
    for action in each_guard(OURS):
        refused(half, action, Overtaken, "a later operation")
    half.act(journal(LATER))


def test_a_claim_fences_the_sessions_before_its_own(half: Half) -> None:
    half.claim()
    for action in each_guard(EARLIER):
        refused(half, action, Overtaken, "a later operation")


def test_an_earlier_session_puts_up_no_fence(half: Half) -> None:
    half.fence(LATER.session)
    with pytest.raises(Overtaken, match=f"a later operation has worked on {HERE}"):
        half.fence(OURS.session)
    assert half.latest_session() == LATER.session


# -- what goes on --------------------------------------------------------------------------


def test_the_session_that_put_up_the_fence_goes_on(half: Half) -> None:
    half.fence(OURS.session)
    half.claim()
    assert half.fence(OURS.session).claim == CLAIM
    half.act(act.SetPhase(HERE, OURS, Phase.MEMBER))
    half.act(journal(OURS))
    half.reset()
    half.claim()


def test_who_acts_without_a_session_is_not_compared_and_leaves_no_number(half: Half) -> None:
    half.claim(replace(CLAIM, session=0))
    half.act(journal(WITHOUT))
    assert half.latest_session() == 0
    half.fence(LATER.session)
    half.act(journal(WITHOUT))
    assert half.latest_session() == LATER.session


def test_a_fence_is_one_cluster_s_own(half: Half) -> None:
    half.fence(LATER.session)
    half.claim(FOREIGN)
    half.act(journal(FOREIGN.ownership))
    assert half.fence(LATER.session).claim == FOREIGN
    assert half.latest_session(FOREIGN.uid) == FOREIGN.session


# -- what a fence leaves -------------------------------------------------------------------


def test_a_fence_leaves_nothing_of_a_server_but_its_number(half: Half) -> None:
    bare = replace(half.world.probe(HERE), clock_seconds=0, took_seconds=0)
    assert half.latest_session() == 0
    assert replace(half.fence(OURS.session), clock_seconds=0, took_seconds=0) == bare
    assert half.latest_session() == OURS.session


def test_a_number_outlives_the_claim_and_the_lock(half: Half) -> None:
    with half.world.lock(HERE, OURS.uid) as lock:
        assert lock.number == 0
        half.fence(OURS.session)
        half.claim()
        half.reset()
    with half.world.lock(HERE, OURS.uid):
        pass
    late = replace(CLAIM, session=EARLIER.session)
    refused(half, act.TakeClaim(HERE, late), Overtaken, "a later operation")


def test_the_lock_tells_the_second_session_the_number_of_the_first(half: Half) -> None:
    with half.world.lock(HERE, OURS.uid) as first:
        half.fence(first.number + 1)
    with half.world.lock(HERE, OURS.uid) as second:
        assert second.number == first.number + 1
        half.fence(second.number + 1)
        assert second.number == first.number + 1
    assert half.latest_session() == 2
    assert half.latest_session(FOREIGN.uid) == 0


def test_the_lock_tells_the_number_of_the_session_that_took_the_claim(half: Half) -> None:
    """The claim is where the number is kept through a boot."""
    half.write_claim(CLAIM.as_dict())
    assert half.latest_session() == CLAIM.session
    half.write_claim(FOREIGN.as_dict())
    with pytest.raises(ForeignClaim):
        half.latest_session()
