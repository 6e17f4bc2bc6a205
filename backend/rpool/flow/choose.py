"""Choosing servers for a cluster: declared picks are probed, and replaced if they are of no use.

The cost grows with the request and not with the fleet: only the picks are probed, and what
replaces those that turn out to be taken, dirty, too small or out of reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType

from rpool.advice import Do
from rpool.attempt import Advice
from rpool.decide.placement import Placement
from rpool.decide.preflight import (
    findings,
    odd_ones,
    vip_of_no_use,
    why_not_trusted,
    why_not_usable,
    why_too_small,
)
from rpool.decide.rules import placed
from rpool.errors import CommandFailed, DoesNotFit, Refused, RpoolError, Unreachable, WrongHostKey
from rpool.flow.doubts import Doubts
from rpool.flow.failures import note_unfit
from rpool.flow.in_use import InUse
from rpool.flow.look import probe_all, sweep
from rpool.flow.preflight import refused, unfit, version_missing, vip_in_use
from rpool.model.claim import Claim
from rpool.model.observed import Sighting
from rpool.model.pool import PoolSpec
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Roles, ServerName
from rpool.model.world import World

MOST_SILENT = 8

LOOK_SECONDS = 3.0
"""How long a plan probes the servers that it announces."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Roles by server, control planes first; a sighting of each of these servers; and the group of
    each that is not in the default one.
    """

    roles: Roles
    sightings: Mapping[ServerName, Sighting]
    groups: Mapping[ServerName, str] = field(default_factory=dict)


def choose(
    spec: PoolSpec,
    fleet: Fleet,
    world: World,
    in_use: InUse,
    kept: Roles | None = None,
    excluded: Mapping[ServerName, str] | None = None,
    noticed: Callable[[Probed], None] = lambda probed: None,
    warn: Callable[[str], None] = lambda text: None,
    of_group: Mapping[ServerName, str] = MappingProxyType({}),
) -> Chosen:
    """Spare servers that fit together. `kept` ones stay; `excluded` ones are passed over, for the
    reason given. `noticed` is called with each other server that was probed, and may raise. What
    other clusters of this process are about to take is left to them.

    Raises DoesNotFit with the reason for each server passed over, Unreachable where it would fit if
    all answered, Refused with all findings of the preflight. Nothing has been changed then.
    """
    kept, reasons = kept or {}, dict(excluded or {})
    seen: dict[ServerName, Sighting] = {}
    silent: dict[ServerName, RpoolError] = {}
    doubts = Doubts()
    while True:
        try:
            placement, free = _placed(spec, fleet, in_use, kept, doubts.whom | reasons, of_group)
        except DoesNotFit:
            if doubts.end():
                continue
            _refuse_if_cut_off(spec, fleet, kept, reasons, silent, of_group)
            raise
        roles = placement.roles
        sightings, errors = probe_all(world, [name for name in roles if name not in seen])
        seen |= sightings
        silent |= {name: error for name, error in errors.items() if isinstance(error, Unreachable)}
        _refuse_if_hopeless(seen, errors)
        if of_kept := [error for name, error in errors.items() if name in kept]:
            raise of_kept[0]  # to forget a member would orphan it
        rejected = {name: error.summary for name, error in errors.items()}
        for name, sighting in sightings.items():
            if name not in kept:
                noticed(sighting.probed)
                if why := why_not_usable(fleet.servers[name], sighting.probed):
                    rejected[name] = why
                else:
                    doubts.hear(sighting.probed)
        if not rejected and doubts.hold(roles):
            continue
        if not rejected:
            picked = {name: seen[name] for name in roles}
            rejected = odd_ones(picked, kept)
        if not rejected and not free:  # taking what others are about to take would ruin both
            if doubts.end():
                continue
            others = {n: why for n, why in in_use.not_left_to(spec.name).items() if n not in kept}
            placed(
                spec, fleet, {**others, **reasons}, kept, of_group
            )  # raises DoesNotFit, which counts
        if not rejected and in_use.reserve(spec.name, roles, kept):
            rejected = _preflight(spec, fleet, world, roles, picked, kept, warn)
            if not rejected:
                return Chosen(roles, picked, placement.groups)
        reasons |= rejected


def foresee(
    spec: PoolSpec, fleet: Fleet, world: World, in_use: InUse, quiet_seconds: float = 0.0
) -> Advice:
    """The servers that a create would choose now, and why some of them may not be free. Begins
    once no other cluster has asked for `quiet_seconds`, so that those that ask at once choose in
    the order of their names; takes `LOOK_SECONDS` at most. Raises DoesNotFit where the declared
    fleet is too small; what is in use now may be free by the time of the create.
    """
    declared = placed(spec, fleet, {}, {}).roles
    with in_use.turns.turn(spec.name, quiet_seconds):
        placement, free = _placed(spec, fleet, in_use, {}, {})
        roles = placement.roles
        if free:
            in_use.reserve(spec.name, roles)
    begun = time.monotonic()
    reasons: dict[ServerName, str] = {}
    seen: set[ServerName] = set()
    doubts = Doubts()
    earlier: dict[ServerName, Claim] = {}
    wrong_keys: dict[ServerName, RpoolError] = {}

    def told(roles: Roles, doubt: str = "", *, fits: bool = True) -> Advice:
        claims = {n: claim for n, claim in earlier.items() if n in roles}
        return Advice(roles, doubt, claims, fits, wrong_keys)

    while True:
        try:
            placement, free = _placed(spec, fleet, in_use, {}, doubts.whom | reasons)
        except DoesNotFit as why:
            if doubts.end():
                continue
            detail = "\n".join(problem.detail for problem in why.problems)
            return told(declared, detail, fits=False)
        roles = placement.roles
        seconds_left = begun + LOOK_SECONDS - time.monotonic()
        new = [name for name in roles if name not in seen]
        if not new and not free:
            if doubts.end():
                continue
            return told(roles, "Other clusters of this plan take some of them.")
        if not new and in_use.reserve(spec.name, roles):
            return told(roles)
        if seconds_left <= 0:
            return told(roles, f"Not all servers were checked within {LOOK_SECONDS:.0f} s.")
        errors: list[RpoolError] = []
        for name, answer in sweep(world, new, seconds_left, seconds_left):
            if isinstance(answer, RpoolError):
                errors.append(answer)
                reasons[name] = answer.summary
                if isinstance(answer, WrongHostKey):
                    wrong_keys[name] = answer
            elif unfit := _why_not_for(spec, fleet, answer, name):
                reasons[name] = unfit
            elif answer.claim is not None:
                earlier[name] = answer.claim
            else:
                doubts.hear(answer)
        doubts.hold(roles)
        if not seen and errors and len(errors) == len(new):
            return told(declared, f"None of them could be checked: {errors[0].summary}.")
        seen.update(new)


def _why_not_for(spec: PoolSpec, fleet: Fleet, probed: Probed, name: ServerName) -> str | None:
    """As `why_not_usable`; but a server of an earlier cluster of that name is usable: it is taken
    over, or given back before the create.
    """
    server = fleet.servers[name]
    if probed.claim is not None and probed.claim.pool == spec.name:
        return why_not_trusted(server, probed) or why_too_small(server, probed)
    return why_not_usable(server, probed)


def _placed(
    spec: PoolSpec,
    fleet: Fleet,
    in_use: InUse,
    kept: Roles,
    reasons: Mapping[ServerName, str],
    of_group: Mapping[ServerName, str] = MappingProxyType({}),
) -> tuple[Placement, bool]:
    """The best servers, and whether no other cluster of this process is about to take them."""
    reserved = {n: why for n, why in in_use.not_left_to(spec.name).items() if n not in kept}
    try:
        return placed(spec, fleet, {**reserved, **reasons}, kept, of_group), True
    except DoesNotFit:
        if not reserved:
            raise
        return placed(spec, fleet, reasons, kept, of_group), False


def _refuse_if_cut_off(
    spec: PoolSpec,
    fleet: Fleet,
    kept: Roles,
    reasons: Mapping[ServerName, str],
    silent: Mapping[ServerName, RpoolError],
    of_group: Mapping[ServerName, str],
) -> None:
    """Raise Unreachable when the request would fit, were it not for servers that do not answer."""
    try:
        out = {n: why for n, why in reasons.items() if n not in silent}
        placed(spec, fleet, out, kept, of_group)
    except DoesNotFit:
        return
    lines = [f"  {name}: {error.summary}" for name, error in sorted(silent.items())]
    if len(lines) > MOST_SILENT:
        lines[MOST_SILENT:] = [f"  and {len(lines) - MOST_SILENT} more"]
    lines.append(
        "Nothing was changed. Check that sshd runs there, that the address is right, and that this "
        f"machine reaches it. {Do.BRING_SPARES_BACK.text()}"
    )
    count = "1 server" if len(silent) == 1 else f"{len(silent)} servers"
    raise Unreachable(
        f"{count} cannot be reached by SSH, and cluster {spec.name} does not fit on the others",
        "\n".join(lines),
    )


def _refuse_if_hopeless(
    seen: Mapping[ServerName, Sighting], errors: Mapping[ServerName, RpoolError]
) -> None:
    """Raises where choosing others is no answer, and a person should know: a server is not the
    declared one, or no server accepts the key. One that answers nonsense (CommandFailed) is passed
    over.
    """
    for error in errors.values():
        if not isinstance(error, Unreachable | CommandFailed):
            raise error
    hopeless = [isinstance(error, Unreachable) and not error.retryable for error in errors.values()]
    if errors and not seen and all(hopeless):
        first = next(iter(errors.values()))
        raise Refused(first.summary, f"{first.detail}\nThe same on {', '.join(sorted(errors))}.")


def _preflight(
    spec: PoolSpec,
    fleet: Fleet,
    world: World,
    roles: Roles,
    picked: Mapping[ServerName, Sighting],
    kept: Roles,
    warn: Callable[[str], None],
) -> dict[ServerName, str]:
    """Servers that others have to replace, and why. Raises Refused with all findings where that is
    of no use: all picked servers are unfit, or a finding is about none alone. With `kept` members,
    the cluster's own address and routes are in use already, and its version was found before.
    """
    joining = {name: role for name, role in roles.items() if name not in kept}
    stay = kept.keys() & picked.keys()  # other kept servers are given back
    members = {name: kept[name] for name in stay if picked[name].probed.joined}
    others = findings(spec, picked, kept)
    with ThreadPoolExecutor(3, thread_name_prefix="preflight") as pool:
        inspected = pool.submit(unfit, spec, joining, members, world, warn)
        if not kept:
            through = next(iter(picked))
            checks = [
                pool.submit(vip_in_use, spec, world, through, fleet),
                pool.submit(version_missing, spec, world, through),
            ]
            others += vip_of_no_use(spec, picked)
            others += [finding for check in checks for finding in check.result()]
        by_server = inspected.result()
    if others or (by_server and by_server.keys() == joining.keys()):
        summary = f"cluster {spec.name} cannot be created on the servers that were picked"
        raise refused(summary, by_server, others)
    note_unfit(by_server, spec.name, world)
    return {name: "; ".join(sentences) for name, sentences in by_server.items()}
