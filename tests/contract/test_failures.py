"""Failures that a server keeps: a probe tells of them, a member forgets them, and they are no
reason to refuse a claim unless the server was set aside.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from worlds.samples import CLAIM, FAILURE, FOREIGN, OURS

from contract.half import HERE, Half, refused
from rpool.errors import ForeignClaim, Overtaken, Refused
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.failure import Failure

ASIDE = replace(FAILURE, why='a "quote", a $(word)\nand a line', aside=True)
FORGET = act.NoteFailure(HERE, "", None)


def noted(half: Half) -> tuple[Failure, ...]:
    return half.world.probe(HERE).failures


def test_what_is_noted_is_told_by_a_probe_in_its_order(half: Half) -> None:
    half.act(act.NoteFailure(HERE, "", FAILURE))
    half.act(act.NoteFailure(HERE, "", ASIDE))
    assert [failure.aside for failure in noted(half)] == [False, True]
    assert noted(half)[0] == FAILURE


def test_the_same_is_noted_once(half: Half) -> None:
    half.act(act.NoteFailure(HERE, "", FAILURE))
    half.act(act.NoteFailure(HERE, "", FAILURE))
    assert noted(half) == (FAILURE,)


def test_a_server_at_which_something_failed_can_be_claimed(half: Half) -> None:
    half.act(act.NoteFailure(HERE, "", FAILURE))
    assert half.world.probe(HERE).is_spare
    half.claim()
    assert noted(half) == (FAILURE,)


def test_one_that_was_set_aside_is_no_spare_until_that_is_lifted(half: Half) -> None:
    half.act(act.NoteFailure(HERE, "", ASIDE))
    half.act(act.NoteFailure(HERE, "", FAILURE))
    assert not half.world.probe(HERE).is_spare
    refused(half, act.TakeClaim(HERE, CLAIM), Refused, "quarantined")
    half.act(FORGET)
    assert half.world.probe(HERE).is_spare
    half.claim()


def test_one_that_is_ours_already_is_not_refused(half: Half) -> None:
    half.claim()
    half.act(act.NoteFailure(HERE, OURS.uid, ASIDE))
    half.claim()
    assert half.claim_there() == CLAIM


def test_a_reset_forgets_nothing_and_a_member_all(half: Half) -> None:
    half.claim()
    half.act(act.NoteFailure(HERE, OURS.uid, FAILURE))
    half.act(act.Reset(HERE, OURS, None))
    assert (half.claim_there(), noted(half)) == (None, (FAILURE,))
    half.claim()
    half.act(act.SetPhase(HERE, OURS, Phase.MEMBER))
    assert noted(half) == ()


@pytest.mark.parametrize("failure", [FAILURE, None], ids=["noted", "forgotten"])
@pytest.mark.parametrize("uid", ["", OURS.uid], ids=["nobody", "we"])
def test_nothing_is_under_a_foreign_claim(half: Half, failure: Failure | None, uid: str) -> None:
    half.claim(FOREIGN)
    refused(half, act.NoteFailure(HERE, uid, failure), ForeignClaim)


def test_nothing_is_by_an_earlier_session(half: Half) -> None:
    """A server may be a member by then, which has failed at nothing."""
    half.claim()
    half.fence(OURS.session + 1)
    note = act.NoteFailure(HERE, OURS.uid, ASIDE, OURS.session)
    refused(half, note, Overtaken, f"a later operation has worked on {HERE}")
    half.act(replace(note, session=OURS.session + 1))
    assert noted(half) == (ASIDE,)


def test_what_was_forgotten_leaves_nothing(half: Half) -> None:
    before = half.everything()
    half.act(act.NoteFailure(HERE, "", FAILURE))
    half.act(FORGET)
    assert half.everything() == before


def test_what_clusters_note_and_forget_at_once_is_in_nobody_s_way(half: Half) -> None:
    before = half.everything()

    def note(number: int) -> None:
        for turn in range(5):
            failure = replace(FAILURE, cluster=f"{number}", why=f"{turn}")
            half.act(act.NoteFailure(HERE, "", failure if turn % 2 else None))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(4)))
    half.act(FORGET)
    assert half.everything() == before


def test_the_last_twenty_are_kept(half: Half) -> None:
    for number in range(22):
        half.act(act.NoteFailure(HERE, "", replace(FAILURE, why=f"{number}")))
    assert [failure.why for failure in noted(half)] == [f"{number}" for number in range(2, 22)]
