"""A server's domain of trust: it takes it on with its first claim, and keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.samples import CLAIM, OURS

from contract.half import HERE, Half, refused
from rpool.errors import Refused
from rpool.model import action as act
from rpool.model.claim import Ownership
from rpool.model.trust import COMMON, UNREAD, mark

A, B = "team-a", "team-b"
OTHERS = pytest.mark.parametrize(
    ("there", "wanted"), [(A, B), (A, COMMON), (COMMON, A)], ids=["a to b", "out of a", "into a"]
)


def test_a_server_as_installed_has_no_domain(half: Half) -> None:
    assert half.world.probe(HERE).served is None


@pytest.mark.parametrize("domain", [COMMON, A])
def test_the_first_claim_gives_a_server_its_domain_and_no_reset_takes_it_away(
    half: Half, domain: str
) -> None:
    half.claim(replace(CLAIM, trust=domain))
    assert half.world.probe(HERE).served == domain
    half.serve()
    half.reset()
    probed = half.world.probe(HERE)
    assert (probed.claim, probed.served) == (None, domain)
    assert probed.is_spare
    half.claim(replace(CLAIM, uid="ffffffff", trust=domain))
    assert half.world.probe(HERE).served == domain


@OTHERS
def test_a_server_of_another_domain_is_not_claimed(half: Half, there: str, wanted: str) -> None:
    half.mark(there)
    take = act.TakeClaim(HERE, replace(CLAIM, trust=wanted))
    refused(half, take, Refused, f"{HERE} has served in .*reinstall it")
    assert half.world.probe(HERE).claim is None


def test_what_a_create_has_left_is_not_taken_over_into_another_domain(half: Half) -> None:
    half.claim(replace(CLAIM, trust=A))
    anew = replace(CLAIM, uid="ffffffff", epoch=1, session=1, trust=B)
    refused(half, act.TakeClaim(HERE, anew, OURS), Refused, "has served in domain team-a")
    half.act(act.TakeClaim(HERE, replace(anew, trust=A), OURS))
    assert half.world.probe(HERE).served == A


def test_whose_a_server_is_counts_before_where_it_has_served(half: Half) -> None:
    half.claim(replace(CLAIM, trust=A))
    take = act.TakeClaim(HERE, replace(CLAIM, uid="ffffffff", trust=B))
    with pytest.raises(Refused, match="claimed by cluster batch"):
        half.act(take)


UNREADABLE = {
    "newer": mark(A).replace("1", "2"),
    "more in it": mark(A).replace("}", ', "more": 1}'),
    "no domain": mark("Team A"),
    "a number": mark(A).replace('"team-a"', "7"),
    "nothing": "",
    "half": mark(A)[:-3],
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("wanted", [COMMON, A])
def test_a_mark_that_cannot_be_read_is_of_no_domain(half: Half, text: str, wanted: str) -> None:
    half.write_mark(text)
    assert half.world.probe(HERE).served == UNREAD
    take = act.TakeClaim(HERE, replace(CLAIM, trust=wanted))
    refused(half, take, Refused, "a domain that its mark .* does not tell")


def test_a_mark_is_no_trace(half: Half) -> None:
    half.mark(A)
    assert half.world.probe(HERE).is_spare


def test_a_claim_of_before_there_were_marks_is_marked_when_it_is_taken_over(half: Half) -> None:
    half.write_claim(CLAIM.as_dict())
    assert half.world.probe(HERE).served is None
    anew = replace(CLAIM, uid="ffffffff", epoch=1, session=1)
    half.act(act.TakeClaim(HERE, anew, Ownership(CLAIM.uid, CLAIM.epoch)))
    assert half.world.probe(HERE).served == COMMON
