"""A claim that is another server's, or that this version of rpool cannot read, is not acted on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.samples import CLAIM, OURS, changing, named

from contract.half import HERE, Half, refused
from rpool.errors import Refused
from rpool.model.action import Action

ANY_ACTION = pytest.mark.parametrize("action", changing(), ids=named)
NEWER = CLAIM.as_dict() | {"format": 2}
WITHOUT = {name: value for name, value in CLAIM.as_dict().items() if name != "format"}
UNREAD = pytest.mark.parametrize(
    ("claim", "why"),
    [
        (NEWER, "was written by a newer rpool (format 2; this one knows 1): use that version"),
        (WITHOUT, "has no format number, so no rpool that is known wrote it"),
    ],
    ids=["newer", "none"],
)


@ANY_ACTION
def test_no_action_touches_a_server_with_another_server_s_claim(half: Half, action: Action) -> None:
    half.write_claim(replace(CLAIM, server="r1u06").as_dict())
    places = "addresses in the fleet are swapped"
    refused(half, action, Refused, f"{HERE} has the claim of r1u06: {places}")


@ANY_ACTION
@UNREAD
def test_no_action_touches_a_server_whose_claim_has_another_format(
    half: Half, action: Action, claim: dict[str, object], why: str
) -> None:
    half.write_claim(claim)
    refused(half, action, Refused, f"{HERE} has a claim that {why[:25]}")


@UNREAD
def test_why_a_claim_is_not_read_is_told_by_a_probe_and_by_the_lock(
    half: Half, claim: dict[str, object], why: str
) -> None:
    half.write_claim(claim)
    probed = half.world.probe(HERE)
    assert (probed.claim, probed.claim_unread) == (None, why)
    assert f"a claim that {why}" in probed.traces
    assert not probed.is_spare
    with pytest.raises(Refused) as caught, half.world.lock(HERE, OURS.uid):
        pass
    assert caught.type is Refused
    assert f"{HERE} has a claim that {why}" in caught.value.summary


def test_a_claim_that_can_be_read_says_so(half: Half) -> None:
    half.claim()
    assert half.world.probe(HERE).claim_unread == ""


@pytest.mark.parametrize("name", ["ca_pin", "vip", "ranges", "trust", "quarantine"])
def test_what_is_coming_can_be_in_a_claim_already(half: Half, name: str) -> None:
    half.write_claim(CLAIM.as_dict() | {name: "some day"})
    assert half.claim_there() == CLAIM
