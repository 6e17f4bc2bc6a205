"""Choosing servers for a pool: declared picks are looked at, and passed over when need be.

Cost grows with the request and not with the fleet: only the picks are probed, and what takes the
place of those that turn out to be taken, dirty, too small or out of reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rpool.decide.preflight import findings, odd_ones, why_not_usable
from rpool.decide.rules import placed
from rpool.errors import CommandFailed, Refused, RpoolError, Unreachable
from rpool.flow.look import probe_all
from rpool.model.observed import Sighting
from rpool.model.pool import PoolSpec
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Roles, ServerName
from rpool.model.world import World

MOST_VERSIONS = 50


@dataclass(frozen=True, slots=True)
class Chosen:
    """Roles by server, control planes first, and what each of these servers showed."""

    roles: Roles
    sightings: Mapping[ServerName, Sighting]


def choose(
    spec: PoolSpec,
    fleet: Fleet,
    world: World,
    kept: Roles | None = None,
    excluded: Mapping[ServerName, str] | None = None,
    noticed: Callable[[Probed], None] = lambda probed: None,
) -> Chosen:
    """Servers that are spare and fit together; `kept` ones stay, `excluded` ones have a reason.
    `noticed` gets each other one that was looked at, and may raise.

    Raises DoesNotFit with the reason for each server passed over, Refused with all findings of the
    preflight. Nothing has been changed then.
    """
    kept, reasons = kept or {}, dict(excluded or {})
    seen: dict[ServerName, Sighting] = {}
    while True:
        roles = placed(spec, fleet, reasons, kept).roles
        found, lost = probe_all(world, [name for name in roles if name not in seen])
        seen |= found
        _refuse_if_hopeless(seen, lost)
        if gone := [error for name, error in lost.items() if name in kept]:
            raise gone[0]  # to forget a member would orphan it
        new = {name: error.summary for name, error in lost.items()}
        for name, sighting in found.items():
            if name not in kept:
                noticed(sighting.probed)
                if why := why_not_usable(fleet.servers[name], sighting.probed):
                    new[name] = why
        if not new:
            picked = {name: seen[name] for name in roles}
            new = odd_ones(picked, kept)
        if not new:
            _preflight(spec, world, picked, kept)
            return Chosen(roles, picked)
        reasons |= new


def _refuse_if_hopeless(
    seen: Mapping[ServerName, Sighting], lost: Mapping[ServerName, RpoolError]
) -> None:
    """A server that is not the declared one, or a key that none accepts, is not a matter of
    choosing: somebody should know, and other servers need not be tried. One that answers nonsense
    (CommandFailed) is passed over.
    """
    for error in lost.values():
        if not isinstance(error, Unreachable | CommandFailed):
            raise error
    hopeless = [isinstance(its, Unreachable) and not its.retryable for its in lost.values()]
    if lost and not seen and all(hopeless):
        first = next(iter(lost.values()))
        raise Refused(first.summary, f"{first.detail}\nThe same on {', '.join(sorted(lost))}.")


def _preflight(
    spec: PoolSpec, world: World, picked: Mapping[ServerName, Sighting], kept: Roles
) -> None:
    """Raise Refused with all findings. With members kept, the pool's own address and routes are in
    use already, and its version was found before.
    """
    found = findings(spec, picked, kept)
    if not kept:
        found += _ask_servers(spec, world, next(iter(picked)))
    if found:
        listed = "\n".join(f"  {finding}." for finding in found)
        raise Refused(
            f"cluster {spec.name} cannot be made on the servers that were picked",
            f"Nothing was changed on them. What is in the way:\n{listed}",
        )


def _ask_servers(spec: PoolSpec, world: World, via: ServerName) -> list[str]:
    with ThreadPoolExecutor(2, thread_name_prefix="preflight") as pool:
        vip = pool.submit(_vip_in_use, spec, world, via)
        version = pool.submit(_version_missing, spec, world, via)
        return [*vip.result(), *version.result()]


def _vip_in_use(spec: PoolSpec, world: World, via: ServerName) -> list[str]:
    """A zombie that still holds the address would fight for it."""
    vip = spec.control_plane.endpoint.vip
    if vip is None or not world.address_answers(via, vip):
        return []
    return [f"vip {vip} is in use: something answers ARP for it on the network of {via}"]


def _version_missing(spec: PoolSpec, world: World, via: ServerName) -> list[str]:
    wanted = spec.kubernetes_version
    minor = wanted.rpartition(".")[0]
    packages = world.kubernetes_packages(via, minor)
    if wanted in packages.versions:
        return []
    if packages.unread:
        return [f"{via} cannot read the package repository of {minor}: {packages.unread}"]
    there = ", ".join(sorted(packages.versions)[:MOST_VERSIONS])
    said = f"there is no package kubeadm {wanted} for {via}; of {minor} there is {there}"
    return [said] if there else []
