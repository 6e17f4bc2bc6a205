"""Reading a pool: what its own record says, through any control plane that answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from rpool.decide.membership import claims_of
from rpool.decide.target import Offer
from rpool.flow.attempt import Found
from rpool.flow.find import NoSuchPool, not_in_fleet, serving
from rpool.flow.observe import probe_all
from rpool.flow.offers import Offers
from rpool.flow.view import of_cluster
from rpool.model.record import Record
from rpool.model.server import Fleet, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World


def read(
    prior: PoolView,
    fleet: Fleet,
    world: World,
    offers: Offers,
    last_taken: Iterable[ServerName] = (),
    in_use: Mapping[ServerName, str] = MappingProxyType({}),
) -> Found:
    """The pool now, and an offer for its next plan. Without contact it is as before, with a
    warning; it is gone only when all of its servers are in the fleet, all of the fleet was asked,
    and no server is claimed by it. Raises Refused when the fleet lacks some of its servers.
    """
    try:
        shown = serving(prior, fleet, world)
    except NoSuchPool as nowhere:
        if missing := sorted(prior.servers.keys() - fleet.servers.keys()):
            raise not_in_fleet(f"cluster {prior.name}", missing) from nowhere
        addresses = {name: its.address for name, its in prior.servers.items()}
        moved = sorted(n for n, was in addresses.items() if fleet.servers[n].address != was)
        if moved:  # the same names at another site, say
            where = "at the address that it had"
            raise not_in_fleet(f"cluster {prior.name}", moved, where) from nowhere
        if nowhere.certain:
            return Found(None)
        return Found(prior, (_vanished(prior, nowhere),))
    if shown is not None:
        view, record = of_cluster(prior, shown[1]), shown[1].record
        return _found(view, record, world, offers, last_taken, in_use)
    seen, lost = probe_all(world, prior.servers)
    return Found(prior, (_silence(prior, sorted(seen), sorted(lost)),))


def _found(
    view: PoolView,
    record: Record | None,
    world: World,
    offers: Offers,
    last_taken: Iterable[ServerName],
    in_use: Mapping[ServerName, str],
) -> Found:
    if record is None:
        return Found(view)
    return Found(
        view,
        joining=record.joining & record.own.keys(),
        leaving=_half_out(record, world),
        offer=_less_pinned(
            offers.make(record.uid, record.spec, record.members, last_taken, in_use), record
        ),
        spec=record.spec,
    )


def _less_pinned(offer: Offer, record: Record) -> Offer:
    """Reserved or not: what an rpool_node has put into the pool is none of its own servers."""
    pinned = dict.fromkeys(record.pinned, "in this pool by an rpool_node")
    return replace(offer, taken={**offer.taken, **pinned})


def _half_out(record: Record, world: World) -> frozenset[ServerName]:
    """Of those that were to leave when a change was cut off, the ones that are members no more: the
    others can still stay. One that cannot be asked is not counted on.
    """
    asked = record.leaving & record.own.keys()
    seen, _ = probe_all(world, sorted(asked))
    claims = claims_of(record.uid, {name: its.probed for name, its in seen.items()})
    members = {name for name, claim in claims.items() if claim.is_member}
    return frozenset(asked - members)


def _vanished(prior: PoolView, nowhere: NoSuchPool) -> str:
    (problem,) = nowhere.problems
    return (
        f"Pool {prior.name} is shown from before: {problem.summary} that answered. "
        f"{problem.detail} Bring them back, or mark them lost = true in the fleet if the hardware "
        "is gone."
    )


def _silence(prior: PoolView, reached: list[str], lost: list[str]) -> str:
    parts = [f"No control plane of pool {prior.name} showed its API; what is shown is from before."]
    if lost:
        parts.append(f"Out of reach by SSH: {', '.join(lost)}.")
    if reached:
        parts.append(f"Reached by SSH: {', '.join(reached)}.")
    return " ".join(parts)
