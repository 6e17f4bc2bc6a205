"""Whose a server is: taking it, moving it through its phases, giving it up, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from worlds.samples import ACTIONS, CLAIM, FOREIGN, OURS, SECRETS, named, owning

from contract.half import HERE, SILENT, WITHOUT_VIP, Half, refused
from rpool.errors import CommandFailed, ForeignClaim, NotClaimed, Refused, RpoolError
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Claim, Phase
from rpool.model.seen import Probed
from rpool.model.trust import COMMON

EARLIER, LATER = (replace(CLAIM, epoch=CLAIM.epoch + more) for more in (-1, 1))
OTHERS = pytest.mark.parametrize(
    ("there", "error"),
    [(FOREIGN, ForeignClaim), (EARLIER, Refused), (LATER, Refused), (None, NotClaimed)],
    ids=["foreign", "an earlier life", "a later life", "none"],
)
ANY_ACTION = pytest.mark.parametrize("action", owning(), ids=named)


def looked_at(half: Half) -> Probed:
    return replace(half.world.probe(HERE), clock_seconds=0, took_seconds=0)


# -- taking --------------------------------------------------------------------------------


def test_a_bare_server_is_a_spare(half: Half) -> None:
    probed = half.world.probe(HERE)
    assert probed.is_spare
    assert not (probed.joined or probed.joined_control_plane or probed.kubeadm_ended)


def test_a_claim_is_told_by_a_probe_and_changes_nothing_else_of_it(half: Half) -> None:
    bare = looked_at(half)
    half.claim()
    assert looked_at(half) == replace(bare, claim=CLAIM, served=COMMON)
    assert not looked_at(half).is_spare


def test_a_claim_is_taken_again_by_the_same_ownership_and_stays_as_it_is(half: Half) -> None:
    half.claim()
    half.act(act.SetPhase(HERE, OURS, Phase.MEMBER))
    before = half.everything()
    half.claim(replace(CLAIM, since="later", owner="bob"))
    assert half.everything() == before


def test_a_claim_is_refused_on_a_dirty_server_whose_probe_tells_why(half: Half) -> None:
    half.dirty()
    refused(half, act.TakeClaim(HERE, CLAIM), Refused, "is not clean: ")
    probed = half.world.probe(HERE)
    assert (probed.claim, probed.traces) == (None, ("/etc/kubernetes/kubelet.conf",))
    assert not probed.is_spare


def test_whose_a_dirty_server_is_counts_first(half: Half) -> None:
    half.claim(FOREIGN)
    half.dirty()
    refused(half, act.TakeClaim(HERE, CLAIM), ForeignClaim)


def test_a_claim_of_ours_on_a_server_with_traces_is_ours_still(half: Half) -> None:
    half.claim()
    half.dirty()
    half.claim()
    assert half.claim_there() == CLAIM


def test_of_many_that_claim_at_once_one_gets_it(half: Half) -> None:
    def attempt(n: int) -> Claim | None:
        claim = replace(CLAIM, uid=f"0000000{n}")
        try:
            half.claim(claim)
        except ForeignClaim:
            return None
        return claim

    with ThreadPoolExecutor(8) as pool:
        (winner,) = filter(None, pool.map(attempt, range(8)))
    assert half.claim_there() == winner


def test_a_claim_is_taken_over_where_it_is_and_nowhere_else(half: Half) -> None:
    """Its phase goes with it: a server that was installed anew since would pass for a member."""
    theirs = replace(CLAIM, uid="0000000a", phase=Phase.MEMBER)
    take = act.TakeClaim(HERE, replace(theirs, uid=CLAIM.uid), theirs.ownership)
    refused(half, take, NotClaimed)
    half.claim(theirs)
    half.act(take)
    assert half.claim_there() == take.claim
    half.act(take)  # it is ours already
    assert half.claim_there() == take.claim
    other = act.TakeClaim(HERE, replace(theirs, uid="0000000b"), theirs.ownership)
    refused(half, other, ForeignClaim)


# -- another's -----------------------------------------------------------------------------


@ANY_ACTION
@OTHERS
def test_no_action_touches_a_server_that_is_not_ours(
    half: Half, action: Action, there: Claim | None, error: type[RpoolError]
) -> None:
    if there is not None:
        half.claim(there)
    elif isinstance(action, act.TakeClaim):
        return  # a server without a claim is taken
    refused(half, action, error, "a different claim" if error is Refused else "claimed")


@OTHERS
def test_no_preparation_touches_a_server_that_is_not_ours(
    half: Half, there: Claim | None, error: type[RpoolError]
) -> None:
    if there is not None:
        half.claim(there)
    before = half.everything()
    results: dict[str, RpoolError | None] = {}
    prepare = next(action for action in ACTIONS if isinstance(action, act.Prepare))
    half.world.prepare([prepare], 120, results.__setitem__)
    assert type(results[HERE]) is error
    assert half.everything() == before


def test_whose_it_was_is_told_of_a_foreign_claim(half: Half) -> None:
    half.claim(FOREIGN)
    with pytest.raises(ForeignClaim) as caught:
        half.claim()
    assert caught.value.summary.startswith(
        f"{HERE} is claimed by cluster {FOREIGN.pool} (uid {FOREIGN.uid}"
    )


# -- a server's life -----------------------------------------------------------------------


@pytest.mark.parametrize("phase", Phase)
def test_a_phase_moves_and_nothing_else(half: Half, phase: Phase) -> None:
    half.claim()
    before = looked_at(half)
    for _ in range(2):
        half.act(act.SetPhase(HERE, OURS, phase))
        assert looked_at(half) == replace(before, claim=replace(CLAIM, phase=phase))


def test_a_server_that_was_not_prepared_becomes_no_member(half: Half) -> None:
    half.claim()
    with pytest.raises(CommandFailed):
        half.init()
    assert looked_at(half).traces == ()


def test_a_member_is_told_by_a_probe_and_made_once(half: Half) -> None:
    half.claim()
    half.prepare()
    half.init()
    probed = half.world.probe(HERE)
    assert probed.joined
    assert probed.joined_control_plane
    assert probed.kubeadm_ended
    assert "/etc/kubernetes/kubelet.conf" in probed.traces
    assert probed.claim == CLAIM
    before = half.everything()
    half.init()
    assert half.everything() == before


@pytest.mark.parametrize("phase", [Phase.MEMBER, Phase.LEAVING])
def test_what_was_a_member_is_made_none_again_before_a_reset(half: Half, phase: Phase) -> None:
    half.claim(replace(CLAIM, phase=phase))
    half.prepare()
    init = act.Init(HERE, OURS, half.node, WITHOUT_VIP, SECRETS)
    join = act.Join(
        HERE, OURS, half.node, WITHOUT_VIP, SECRETS, control_plane=False, through=SILENT
    )
    for action in (init, join):
        refused(half, action, Refused, "has been a member")


def test_a_reset_gives_the_claim_up_and_leaves_the_mark_of_the_domain_alone(half: Half) -> None:
    half.mark(COMMON)
    bare, disk = looked_at(half), half.disk()
    half.claim()
    half.act(act.AppendJournal(HERE, OURS, ("{}",)))
    half.serve()
    assert half.world.probe(HERE).joined
    half.reset()
    assert looked_at(half) == bare
    assert half.disk() == disk
    refused(half, act.Reset(HERE, OURS, None), NotClaimed)
    half.claim(FOREIGN)
    assert half.claim_there() == FOREIGN


def test_what_came_to_a_server_since_its_claim_is_told_by_its_reset_and_only_then(
    half: Half,
) -> None:
    half.claim()
    half.come("/etc/cron.d/came")
    half.act(act.SetPhase(HERE, OURS, Phase.MEMBER))
    half.claim(replace(CLAIM, phase=Phase.MEMBER))  # taken again
    assert half.reset() == ("new /etc/cron.d/came",)
    half.claim()
    assert half.reset() == ()
