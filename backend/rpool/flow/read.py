"""Reading a pool: what its own record says, through any control plane that answers."""

from __future__ import annotations

from collections.abc import Iterable

from rpool.decide.destroy import belongs_to
from rpool.flow.attempt import Found
from rpool.flow.observe import probe_all, serving_control_plane
from rpool.flow.offers import Offers
from rpool.flow.view import of_cluster
from rpool.model.claim import Phase
from rpool.model.record import Record
from rpool.model.server import Role, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World


def read(
    prior: PoolView, world: World, offers: Offers, last_taken: Iterable[ServerName] = ()
) -> Found:
    """The pool now, and an offer for its next plan. Without contact it is as before, with a
    warning; it is gone only when every one of its servers was reached and none is claimed by it.
    """
    control_planes = [n for n, s in prior.servers.items() if s.role is Role.CONTROL_PLANE]
    serving = serving_control_plane(world, prior.uid, control_planes)
    if serving is not None:
        return _found(of_cluster(prior, serving[1]), serving[1].record, world, offers, last_taken)
    seen, lost = probe_all(world, prior.servers)
    ours = [name for name, sighting in seen.items() if belongs_to(prior.uid, sighting.probed)]
    if not ours and not lost:
        return Found(None)
    return Found(prior, (_silence(prior, sorted(seen), sorted(lost)),))


def _found(
    view: PoolView,
    record: Record | None,
    world: World,
    offers: Offers,
    last_taken: Iterable[ServerName],
) -> Found:
    if record is None:
        return Found(view)
    return Found(
        view,
        joining=record.joining & record.own.keys(),
        leaving=_half_out(record, world),
        offer=offers.make(record.uid, record.spec, record.members, last_taken),
        spec=record.spec,
    )


def _half_out(record: Record, world: World) -> frozenset[ServerName]:
    """Of those that were to leave when a change was cut off, the ones that are members no more: the
    others can still stay. One that cannot be asked is not counted on.
    """
    asked = record.leaving & record.own.keys()
    seen, _ = probe_all(world, sorted(asked))
    members = {
        name
        for name, sighting in seen.items()
        if (claim := sighting.probed.claim)
        and claim.uid == record.uid
        and claim.phase is Phase.MEMBER
    }
    return frozenset(asked - members)


def _silence(prior: PoolView, reached: list[str], lost: list[str]) -> str:
    parts = [f"No control plane of pool {prior.name} showed its API; what is shown is from before."]
    if lost:
        parts.append(f"Out of reach by SSH: {', '.join(lost)}.")
    if reached:
        parts.append(f"Reached by SSH: {', '.join(reached)}.")
    return " ".join(parts)
