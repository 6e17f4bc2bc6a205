"""Taking a pool down: every server it holds is drained, reset, verified clean, and let go."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from rpool.decide.destroy import Removal, belongs_to, plan_destroy
from rpool.errors import RpoolError, Unreachable
from rpool.flow.attempt import Attempt, PoolIncomplete
from rpool.flow.execute import Limits, Ran, carry_out
from rpool.flow.journal import Journal
from rpool.flow.observe import Sighting, probe_all, serving_control_plane
from rpool.model.claim import Claim
from rpool.model.server import Role, ServerName
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

DRAIN_SECONDS = 120


def destroy(prior: PoolView, world: World, attempt: Attempt) -> None:
    """Give the pool's servers back. Servers under another pool's claim, or none, are not touched.

    Raises PoolIncomplete with the servers that are still the pool's.
    """
    limits = Limits(time.monotonic() + attempt.timeout_seconds, attempt.stop)
    seen, lost = probe_all(world, prior.servers)
    ours = _ours(prior, seen)
    remaining = dict.fromkeys(lost)
    error: RpoolError | None = _out_of_reach(prior, lost) if lost else None
    if ours:
        ran = _give_back(prior, ours, world, attempt, limits)
        error = ran.error or error
        remaining |= {name: None for name in ours if f"reset {name}" not in ran.done}
    if error is not None:
        servers = {name: prior.servers[name] for name in prior.servers if name in remaining}
        left = replace(prior, servers=servers, condition=Condition.INCOMPLETE)
        raise PoolIncomplete(error, left)


def _ours(prior: PoolView, seen: Mapping[ServerName, Sighting]) -> dict[ServerName, Claim]:
    probed = {name: sighting.probed for name, sighting in seen.items()}
    return {
        name: its.claim
        for name, its in probed.items()
        if its.claim is not None and belongs_to(prior.uid, its)
    }


def _give_back(
    prior: PoolView,
    ours: Mapping[ServerName, Claim],
    world: World,
    attempt: Attempt,
    limits: Limits,
) -> Ran:
    control_planes = [name for name, claim in ours.items() if claim.role is Role.CONTROL_PLANE]
    with ExitStack() as stack:
        for name in control_planes[:1]:
            stack.enter_context(world.lock(name, prior.uid))
        journal = stack.enter_context(Journal(prior.name, world, attempt.log))
        serving = serving_control_plane(world, prior.uid, control_planes)
        removal = Removal(
            uid=prior.uid,
            ours=ours,
            api_via=serving[0] if serving else None,
            nodes=tuple(name for name in (serving[1].nodes if serving else ()) if name in ours),
            vip=prior.vip,
            drain_timeout_seconds=DRAIN_SECONDS,
        )
        return carry_out(plan_destroy(removal), world, journal, limits)


def _out_of_reach(prior: PoolView, lost: Mapping[ServerName, Unreachable]) -> Unreachable:
    reasons = "\n".join(f"  {error.summary}" for error in lost.values())
    return Unreachable(
        f"pool {prior.name}: {len(lost)} of its servers cannot be reached",
        f"{reasons}\nThey stay in the state, and claimed. Bring them back and destroy again.",
    )
