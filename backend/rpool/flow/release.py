"""Giving back one server after its cluster has let it go, or is gone: no apply does it then."""

from __future__ import annotations

from rpool.advice import Do
from rpool.attempt import Attempt, NoApi
from rpool.errors import Problem, Refused, RpoolError, SpecError
from rpool.flow.locate import find, may_be_alive
from rpool.flow.look import reaches_api
from rpool.flow.reconcile import at_work
from rpool.model.action import NoteFailure, Reset, SetPhase
from rpool.model.claim import Claim, Phase
from rpool.model.failure import Failure
from rpool.model.pool import PoolUid
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.step import Step, names
from rpool.model.world import World


def release(
    server: ServerName, uid: PoolUid, fleet: Fleet, world: World, attempt: Attempt
) -> Claim:
    """Wipe a server that has a claim of cluster `uid`, verify it, and give its claim up; returns
    the claim that it had. Raises Refused where it is a member of a cluster that may be alive, or
    has another claim, SpecError where the fleet lacks it.
    """
    _refuse_stranger(server, fleet)
    claim = _claim_of(uid, server, world.probe(server).claim)
    _refuse_member(server, claim, fleet, world)
    with at_work(uid, claim.pool, [server], fleet, world, attempt) as run:
        seen, silent = run.lock.look([server])
        if silent:
            raise silent[server]
        claim = _claim_of(uid, server, seen[server].probed.claim)
        run.lock.begins_to_act()
        # While it is ours: as soon as it is clean another cluster may take it.
        forget = NoteFailure(server, uid, None, run.lock.session)
        world.carry_out(forget, forget.limit_seconds)
        leave = Step(SetPhase(server, claim.ownership, Phase.LEAVING), server)
        reset = Reset(server, claim.ownership, claim.vip or None)
        ran = run.carry_out([leave, Step(reset, server, needs=names([leave]))])
        if ran.error is not None:
            raise ran.error
    return claim


def lift(server: ServerName, fleet: Fleet, world: World) -> tuple[Failure, ...]:
    """Forget what a server failed at, so that clusters take it again; returns what that was. Raises
    Refused where there is nothing to forget or a claim, SpecError where the fleet lacks it.
    """
    _refuse_stranger(server, fleet)
    probed = world.probe(server)
    if probed.claim is not None:
        claim = probed.claim
        advice = Do.RELEASE.text(server=server, uid=claim.uid)
        raise Refused(f"{server} is claimed by cluster {claim.pool}", f"Nothing was done. {advice}")
    if not probed.failures:
        raise Refused(f"nothing has failed on {server}", "No cluster claims it. Nothing was done.")
    world.carry_out(NoteFailure(server, "", None), NoteFailure.limit_seconds)
    return probed.failures


def _refuse_stranger(server: ServerName, fleet: Fleet) -> None:
    if server not in fleet.servers:
        known = f"The fleet has {len(fleet.servers)} servers. {Do.PUT_ENTRY_BACK.text()}"
        raise SpecError([Problem((), f"the fleet has no server {server}", known)])


def _claim_of(uid: PoolUid, server: ServerName, claim: Claim | None) -> Claim:
    if claim is None:
        raise Refused(f"{server} has no claim", "There is nothing to give back. Nothing was done.")
    if claim.uid != uid:
        raise Refused(
            f"{server} is claimed by cluster {claim.pool} (uid {claim.uid}), not by {uid}",
            f"By {claim.owner}, since {claim.since}. Nothing was done.",
        )
    return claim


def _refuse_member(server: ServerName, claim: Claim, fleet: Fleet, world: World) -> None:
    """Raises Refused where its cluster counts on it, or may."""
    membership = f"{server} is a member of cluster {claim.pool} (uid {claim.uid})"
    try:
        pool = find(world, fleet, claim.uid, known_ca=claim.ca_pin)
    except NoApi as nowhere:
        others = may_be_alive(nowhere.view, fleet, world)
        if claim.role is Role.WORKER and server in others and reaches_api(world, server):
            raise Refused(
                f"{membership}, which is alive",
                f"Nothing was done. {server} {others[server]}. {Do.FIND_API.text(uid=claim.uid)}",
            ) from nowhere
        if claim.role is Role.CONTROL_PLANE and server in others and _etcd_answers(world, server):
            raise Refused(
                f"{membership}, whose etcd answers: its API may be restarting",
                f"Nothing was done. {Do.FIND_API.text(uid=claim.uid)}",
            ) from nowhere
        others.pop(server, None)
        if others:
            listed = "\n".join(f"  {name}: {why}" for name, why in sorted(others.items()))
            raise Refused(
                f"{membership}, which may be alive",
                f"Nothing was done. A control plane of it may run on:\n{listed}\n"
                + Do.BRING_BACK.text(servers=", ".join(sorted(others))),
            ) from nowhere
        return
    if server in pool.record.members:
        raise Refused(
            f"{membership}, which is alive", f"Nothing was done. {Do.LET_GO.text(uid=claim.uid)}"
        )


def _etcd_answers(world: World, server: ServerName) -> bool:
    try:
        return bool(world.etcd_members(server))
    except RpoolError:
        return False
