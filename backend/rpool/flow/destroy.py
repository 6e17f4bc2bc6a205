"""Taking a pool down: every server it holds is drained, reset, verified clean, and let go."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from rpool.decide.destroy import Removal, begin_destroy, plan_destroy
from rpool.decide.joining import member
from rpool.decide.membership import claims_of
from rpool.errors import Refused, RpoolError, Unreachable
from rpool.flow.admission import change_id
from rpool.flow.attempt import Attempt, PoolIncomplete
from rpool.flow.execute import Limits, Ran, carry_out
from rpool.flow.find import NoSuchPool, serving
from rpool.flow.journal import Journal
from rpool.flow.observe import probe_all, serving_control_plane
from rpool.flow.session import session
from rpool.flow.sweep import sweep
from rpool.model.claim import Claim
from rpool.model.record import Member
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

DRAIN_SECONDS = 120
PATIENCE_SECONDS = 10.0


def destroy(prior: PoolView, fleet: Fleet, world: World, attempt: Attempt) -> tuple[str, ...]:
    """Give the pool's servers back; returns warnings. Servers under another pool's claim, or none,
    are not touched. One that is out of reach and marked `lost` in the fleet is let go.

    Raises Refused when another operation works on the pool, or an rpool_node still has a server in
    it, and PoolIncomplete with the servers that are still the pool's.
    """
    limits = Limits(time.monotonic() + attempt.timeout_seconds, attempt.stop)
    with session(world, prior.uid, prior.control_planes) as lock:
        limits = replace(limits, lock_lost=lock.lost)
        prior, unasked = _with_unplanned(prior, fleet, world)
        lock.cover(prior.control_planes, one_will_do=True)
        seen, unseen = probe_all(world, prior.servers)
        marked = {name for name in unseen if name in fleet.servers and fleet.servers[name].lost}
        missing = {name: error for name, error in unseen.items() if name not in marked}
        ours = claims_of(prior.uid, {name: its.probed for name, its in seen.items()})
        ran = _give_back(prior, ours, world, attempt, limits) if ours else None
    kept = [name for name in ours if ran is None or f"reset {name}" not in ran.done]
    if kept or missing:
        error = (ran.error if ran and kept else None) or _out_of_reach(prior, missing)
        servers = {n: s for n, s in prior.servers.items() if n in missing or n in kept}
        raise PoolIncomplete(error, replace(prior, servers=servers, condition=Condition.INCOMPLETE))
    return (*_let_go(marked), *unasked, *_said(ran))


def _with_unplanned(
    prior: PoolView, fleet: Fleet, world: World
) -> tuple[PoolView, tuple[str, ...]]:
    """With servers that joined by a change the state has not heard of: they are the pool's, too.
    The record names them, or else, where no API shows one, the claims on the fleet's servers; what
    could not be asked then is a warning.

    Raises Refused while the record has servers that an rpool_node put there: its own to take out.
    One that never got in, or whose end was begun, goes along.
    """
    try:
        shown = serving(prior, fleet, world)
    except NoSuchPool:
        shown = None
    record = shown[1].record if shown else None
    if record is None:
        # A cluster whose API never served has no servers but those in the state.
        return _with_claimed(prior, fleet, world) if prior.ca_certificate else (prior, ())
    if pinned := sorted(record.pinned.keys() - record.joining - record.leaving):
        raise Refused(
            f"pool {prior.name} still has {', '.join(pinned)}, put there by rpool_node",
            "Destroy that first: without its cluster nobody could take it out in order. If no "
            f"state has it: terraform import rpool_node.NAME {prior.uid}/{pinned[0]}, and destroy "
            "that. Nothing was changed.",
        )
    known = replace(prior, servers={**record.members, **prior.servers})
    # What a create has claimed since it wrote its record is in the claims alone.
    return (known, ()) if record.created else _with_claimed(known, fleet, world)


def _with_claimed(prior: PoolView, fleet: Fleet, world: World) -> tuple[PoolView, tuple[str, ...]]:
    found: dict[ServerName, Member] = {}
    silent = []
    for name, answer in sweep(world, fleet.servers.keys() - prior.servers.keys(), PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            silent.append(name)
        elif (claim := answer.claim_of(prior.uid)) is not None:
            found[name] = member(fleet.servers[name], claim.role)
    servers = replace(prior, servers={**found, **prior.servers})
    if not silent:
        return servers, ()
    names = ", ".join(sorted(silent))
    said = f"{names}: not reached, and no API of pool {prior.name} says whether any is the pool's."
    return servers, (said,)


def _let_go(marked: Collection[ServerName]) -> list[str]:
    if not marked:
        return []
    names = ", ".join(sorted(marked))
    return [f"{names}: marked lost and out of reach, so let go with a claim on it; wipe it first."]


def _said(ran: Ran | None) -> list[str]:
    """What went wrong and did not matter in the end: a drain that took too long, say."""
    return [error.summary for error in ran.failed.values()] if ran else []


def _give_back(
    prior: PoolView,
    ours: Mapping[ServerName, Claim],
    world: World,
    attempt: Attempt,
    limits: Limits,
) -> Ran:
    control_planes = [name for name, claim in ours.items() if claim.role is Role.CONTROL_PLANE]
    with Journal(prior.name, world, attempt.log) as journal:
        shown = serving_control_plane(world, prior.uid, control_planes)
        removal = Removal(
            uid=prior.uid,
            ours=ours,
            api_via=shown[0] if shown else None,
            nodes=tuple(name for name in (shown[1].nodes if shown else ()) if name in ours),
            vip=prior.vip,
            drain_timeout_seconds=DRAIN_SECONDS,
            record=shown[1].record if shown else None,
            change=change_id(),
        )
        begun = carry_out(begin_destroy(removal), world, journal, limits)
        if isinstance(begun.error, Refused):
            raise begun.error  # another operation is at work
        ran = carry_out(plan_destroy(removal), world, journal, limits)
        return replace(ran, failed={**begun.failed, **ran.failed})


def _out_of_reach(prior: PoolView, lost: Mapping[ServerName, RpoolError]) -> Unreachable:
    reasons = "\n".join(f"  {error.summary}" for error in lost.values())
    return Unreachable(
        f"pool {prior.name}: {len(lost)} of its servers cannot be reached",
        f"{reasons}\nThey stay in the state, and claimed. Bring them back and destroy again; "
        "or mark them lost = true in the fleet if the hardware is gone.",
    )
