"""Where no record tells what a create has left, its claims and its Nodes do, whatever the order of
its steps.
"""

from __future__ import annotations

import pytest
from worlds.expect import settled
from worlds.fault import Fault
from worlds.stage import BIGGER, SPEC, Stage, killed

from rpool.errors import CommandFailed, RpoolError
from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.server import Fleet, Role, ServerName

NO_RECORD = Fault(act.WriteRecord, CommandFailed("no"), sure=False)


def claims(stage: Stage) -> dict[ServerName, Claim]:
    return {name: machine.claim for name, machine in stage.world.machines.items() if machine.claim}


@pytest.mark.parametrize("how", ["silent", "without an entry"])
def test_who_has_joined_is_not_left_behind_though_no_record_names_it_yet(how: str) -> None:
    """Its Node does. Left behind, it would keep the claim of a cluster that is no more."""
    stage = Stage(9)
    with stage.faults(NO_RECORD), killed(stage, act.RevokeJoiners):
        stage.site.create_pool(SPEC, stage.attempt())
    before, fleet = claims(stage), stage.site.config.fleet
    worker = next(n for n, claim in before.items() if claim.role is Role.WORKER)
    if how == "silent":
        stage.machine(worker).lose_power()
    else:
        stage.open(Fleet({n: server for n, server in fleet.servers.items() if n != worker}))
    with pytest.raises(RpoolError, match=f"an earlier create of cluster batch has {worker}, which"):
        stage.site.create_pool(SPEC, stage.attempt())
    assert claims(stage) == before
    stage.machine(worker).give_power()
    stage.open(fleet)
    settled(stage, stage.site.create_pool(SPEC, stage.attempt()), SPEC)


def test_no_claim_is_a_member_s_before_a_record_names_it() -> None:
    """By such claims alone it would be a finished cluster, which no create goes on with."""
    stage = Stage(9)
    with stage.faults(NO_RECORD), killed(stage, act.RevokeJoiners):
        stage.site.create_pool(SPEC, stage.attempt())
    assert not any(claim.is_member for claim in claims(stage).values())
    settled(stage, stage.site.create_pool(BIGGER, stage.attempt()), BIGGER)


@pytest.mark.parametrize("resets", [1, 2, 3, 4])
def test_what_was_given_back_in_part_is_known_by_its_claims_once_etcd_has_no_quorum(
    resets: int,
) -> None:
    stage, phases = Stage(9), set[Phase]()
    with killed(stage, act.SetPhase, first=5):
        stage.site.create_pool(SPEC, stage.attempt())
    note = Fault(act.Reset, lambda _: phases.update(c.phase for c in claims(stage).values()))
    with stage.faults(note), killed(stage, act.Reset, first=resets):
        stage.site.create_pool(BIGGER, stage.attempt())
    assert phases == {Phase.LEAVING}
    settled(stage, stage.site.create_pool(BIGGER, stage.attempt()), BIGGER)
