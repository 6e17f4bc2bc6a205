"""What goes on by itself after its operator died is over before a fence is up (see fate.py)."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

import pytest
from worlds.samples import CLAIM, OURS, RECORD, SECRETS, SPEC
from worlds.stage import servers

from fault.fate import Fate
from fault.kinds import Fault
from rpool.certificates import ca_pin, new_ca
from rpool.errors import ForeignClaim, NotClaimed, Overtaken, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Fence, Ownership, Phase
from rpool.model.server import Role
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.world import SimulatedWorld

FIRST, SECOND = "r1u00", "r2u01"
LATER = Fence(OURS.uid, OURS.session + 1)
AFTER = replace(OURS, session=LATER.session)


@pytest.fixture
def fate() -> Fate:
    """A cluster of one server, and another that is claimed and prepared."""
    world = SimulatedWorld(servers(7))
    cluster = Cluster(new_ca(), SPEC.kubernetes_version)
    cluster.tokens.add(SECRETS.token.reveal())
    for name in (FIRST, SECOND):
        world.carry_out(act.TakeClaim(name, replace(CLAIM, server=name)), 60)
        world.machines[name].prepared_for = SPEC.kubernetes_version
    world.machines[FIRST].become(cluster, Role.CONTROL_PLANE)
    cluster.write_record(act.WriteRecord(FIRST, OURS, RECORD, ""))
    return Fate(world, random.Random(1))  # noqa: S311


def dies_at(fate: Fate, action: Action) -> None:
    fate.begin({1: Fault.LATE})
    with pytest.raises(Unreachable, match="killed"):
        fate.carry_out(action, 60)
    fate.begin({})


def join(fate: Fate, ours: Ownership = OURS) -> act.Join:
    cluster = fate.world.machines[FIRST].cluster
    assert cluster is not None
    secrets = replace(SECRETS, ca_pin=ca_pin(cluster.ca))
    node = fate.world.fleet.servers[SECOND]
    return act.Join(SECOND, ours, node, SPEC, secrets, control_plane=False, through=FIRST)


def test_a_late_join_is_over_before_the_fence_and_seen_behind_it(fate: Fate) -> None:
    dies_at(fate, join(fate))
    assert not fate.probe(SECOND).joined
    assert fate.probe(SECOND, LATER).joined


@pytest.mark.parametrize(
    "late", [act.Reset(SECOND, OURS, None), act.SetPhase(SECOND, OURS, Phase.LEAVING)], ids=type
)
def test_any_late_action_is_over_before_the_fence(fate: Fate, late: Action) -> None:
    dies_at(fate, late)
    before = fate.probe(SECOND).claim
    assert fate.probe(SECOND, LATER).claim != before
    fate.late.end_all()
    assert fate.probe(SECOND, LATER) is not None


def test_what_is_sent_after_the_fence_by_an_earlier_session_is_refused(fate: Fate) -> None:
    fate.probe(SECOND, LATER)
    with pytest.raises(Overtaken):
        fate.carry_out(join(fate), 60)
    dies_at(fate, join(fate))  # the operator believes that it runs
    fate.late.end_all()
    assert not fate.probe(SECOND).joined
    fate.carry_out(join(fate, AFTER), 60)


def test_a_fence_elsewhere_waits_for_nothing(fate: Fate) -> None:
    dies_at(fate, join(fate))
    fate.probe(FIRST, LATER)
    assert not fate.probe(SECOND).joined


def test_what_is_late_is_refused_once_a_later_session_has_acted_there(fate: Fate) -> None:
    """Except what has the server's lock already."""
    dies_at(fate, act.SetPhase(FIRST, OURS, Phase.MEMBER))
    fate.world.carry_out(act.AppendJournal(FIRST, AFTER, ("{}",)), 60)
    fate.late.end_all()
    claim = fate.world.machines[FIRST].claim
    assert claim is not None
    assert claim.phase is Phase.BOOTSTRAPPING
    with pytest.raises(RpoolError):
        fate.carry_out(act.AppendJournal(FIRST, OURS, ("{}",)), 60)


class Careless(SimulatedWorld):
    """Writes a claim over any other, as a script that does not look again would."""

    @staticmethod
    def _take_claim(action: act.TakeClaim, machine: Machine) -> None:
        machine.claim = action.claim


@pytest.mark.parametrize(("world", "broken"), [(SimulatedWorld, []), (Careless, [FIRST])])
def test_what_operators_are_told_of_claims_shows_a_world_that_is_careless(
    world: type[SimulatedWorld], broken: list[str]
) -> None:
    fate = Fate(world(servers(7)), random.Random(1))  # noqa: S311 the same
    for uid in ("0000000a", "0000000b"):
        with suppress(ForeignClaim):
            claim = replace(CLAIM, uid=uid, server=FIRST)
            fate.carry_out(act.TakeClaim(FIRST, claim), 60)
    fate.probe(FIRST)
    assert fate.claims.not_linearizable() == broken


@pytest.mark.parametrize(("world", "broken"), [(SimulatedWorld, []), (Careless, [FIRST])])
def test_what_was_installed_anew_is_taken_over_by_nobody(
    world: type[SimulatedWorld], broken: list[str]
) -> None:
    fate = Fate(world(servers(7)), random.Random(1))  # noqa: S311 the same
    theirs = replace(CLAIM, server=FIRST)
    fate.carry_out(act.TakeClaim(FIRST, theirs), 60)
    fate.reinstall(fate.world.machines[FIRST])
    with suppress(NotClaimed):
        ours = replace(theirs, uid="0000000b")
        fate.carry_out(act.TakeClaim(FIRST, ours, theirs.ownership), 60)
    assert fate.claims.not_linearizable() == broken
