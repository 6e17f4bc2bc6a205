"""Finding a pool on the fleet: for an import, a data source, a node that joins it.

Nothing but the fleet is known then. The claims on the servers say whose they are; a control plane
of the pool shows its record.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rpool.decide.joining import member
from rpool.decide.membership import claims_of
from rpool.errors import Problem, Refused, RpoolError, SpecError, Unreachable
from rpool.flow.observe import probe_all, reaches_api, serving_control_plane
from rpool.flow.sweep import sweep
from rpool.flow.view import of_record
from rpool.model.claim import Claim
from rpool.model.pool import PoolUid
from rpool.model.record import Record
from rpool.model.secret import may_be_key, shown
from rpool.model.seen import ClusterSeen, Probed
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

PATIENCE_SECONDS = 10.0
"""Longer than for an offer: a pool that is missed is an error, not just a worse pick."""

LOOK_SECONDS = 60.0
"""For a pool that may have moved, of which a read is to say something in the end."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool by what its own cluster says; `via` is the control plane that showed it."""

    via: ServerName
    cluster: ClusterSeen
    record: Record

    @property
    def view(self) -> PoolView:
        """With the size in the record, also while a change is under way: no other is known."""
        return of_record(self.record, self.cluster)


@dataclass(slots=True)
class _Swept:
    """What the servers that were asked so far said."""

    claims: dict[ServerName, Claim] = field(default_factory=dict)
    control_planes: dict[ServerName, PoolUid] = field(default_factory=dict)
    claim_lost: set[ServerName] = field(default_factory=set)
    joined: set[ServerName] = field(default_factory=set)
    answered: int = 0
    unseen: dict[ServerName, RpoolError] = field(default_factory=dict)

    def add(self, name: ServerName, answer: Probed | RpoolError) -> None:
        if isinstance(answer, RpoolError):
            self.unseen[name] = answer
            return
        self.answered += 1
        if answer.joined:
            self.joined.add(name)
        if answer.claim is None and answer.joined:
            self.claim_lost.add(name)
        if answer.claim is not None:
            self.claims[name] = answer.claim
            if answer.joined and answer.claim.role is Role.CONTROL_PLANE:
                self.control_planes[name] = answer.claim.uid

    def of(self, uid: PoolUid) -> list[ServerName]:
        return sorted(name for name, claim in self.claims.items() if claim.uid == uid)

    def control_planes_of(self, uid: PoolUid) -> list[ServerName]:
        return sorted(name for name, its in self.control_planes.items() if its == uid)

    def missed(self, fleet: Fleet) -> list[ServerName]:
        return [name for name in self.unseen if not fleet.servers[name].lost]

    def pools(self) -> dict[PoolUid, str]:
        """The names of all pools that have a claim, by uid."""
        return {claim.uid: claim.pool for claim in self.claims.values()}


class NoSuchPool(SpecError):
    """No server that answered has a claim of the pool. `certain`: all of the fleet answered, but
    for servers that are marked lost.
    """

    def __init__(self, problem: Problem, certain: bool) -> None:
        super().__init__([problem])
        self.certain = certain


class NoApi(Unreachable):
    """A pool of which no control plane shows the API; `view` has its servers. `missed` were not
    reached, and are not marked lost: they may be what is looked for.
    """

    def __init__(
        self, view: PoolView, missed: Iterable[ServerName], summary: str, detail: str
    ) -> None:
        super().__init__(summary, detail)
        self.view = view
        self.missed = frozenset(missed)


class Remains(NoApi):
    """What is left of a cluster: claims, and no control plane that has its record. Its create or
    its destroy was cut off.
    """


LONGEST_NAME = 63


def not_in_fleet(what: str, missing: Sequence[ServerName], where: str = "") -> Refused:
    """The error about something whose servers the fleet does not have, so that nobody asked them.
    They may be claimed and running: it is not gone.
    """
    return Refused(
        f"{what} has {', '.join(missing)}, which the fleet does not have {where}".rstrip(),
        "It is not found on any server of this fleet. Is this the fleet of its site? If the entry "
        "was removed, put it back: without it nobody can give the server back. If the hardware is "
        "gone for good, put it back with lost = true.",
    )


def find(world: World, fleet: Fleet, uid_or_name: str, longest_seconds: float = math.inf) -> Pool:
    """The pool of that uid, or else of that name. A uid is looked for until a control plane of the
    pool serves; a name on the whole fleet, since two pools may have it. Who has not answered when
    `longest_seconds` are over is not waited for.

    Raises SpecError when there is no such pool or the name is not clear, Unreachable when no server
    answers, or none that shows the pool's API.
    """
    if len(uid_or_name) > LONGEST_NAME or may_be_key(uid_or_name):
        raise _asked_wrong(
            f"{shown(uid_or_name)} is neither the uid nor the name of a cluster",
            "A uid is like 0863513a; a name has 40 characters at most.",
        )
    swept = _Swept()
    for name, answer in sweep(world, _likely_first(fleet), PATIENCE_SECONDS, longest_seconds):
        swept.add(name, answer)
        if swept.control_planes.get(name) == uid_or_name:
            pool = _through(world, uid_or_name, [name])
            if pool is not None:
                return pool
    uid = _which(swept, uid_or_name, fleet)
    pool = _through(world, uid, swept.control_planes_of(uid))
    if pool is None:
        raise _remains(world, fleet, swept, uid) or _no_api(swept, uid, fleet)
    return pool


def serving(prior: PoolView, fleet: Fleet, world: World) -> tuple[ServerName, ClusterSeen] | None:
    """A control plane through which the API of a known pool answers, and what it showed.

    Where none does of those that were known, a change that nobody was told of may have moved the
    pool: unless all of them are seen to be its members still, it is looked for on the whole fleet,
    for `LOOK_SECONDS` at most. Raises NoSuchPool when no server that answers has a claim of it.
    """
    known = serving_control_plane(world, prior.uid, prior.control_planes)
    if known is not None and known[1].record is not None:
        return known
    seen, _ = probe_all(world, prior.control_planes)
    claims = claims_of(prior.uid, {name: its.probed for name, its in seen.items()})
    if known is not None and known[0] in claims:
        return known  # a create that was cut off early, or somebody has deleted the record
    members = {name for name, claim in claims.items() if claim.is_member}
    if prior.control_planes and members == set(prior.control_planes):
        return None
    try:
        pool = find(world, fleet, prior.uid, LOOK_SECONDS)
    except Unreachable:
        return None
    return pool.via, pool.cluster


def _likely_first(fleet: Fleet) -> list[ServerName]:
    return sorted(fleet.servers, key=lambda name: (fleet.servers[name].lost, name))


def _through(world: World, uid: PoolUid, control_planes: Iterable[ServerName]) -> Pool | None:
    serving = serving_control_plane(world, uid, control_planes)
    if serving is None or serving[1].record is None:
        return None
    return Pool(serving[0], serving[1], serving[1].record)


def _which(swept: _Swept, wanted: str, fleet: Fleet) -> PoolUid:
    pools = swept.pools()
    if wanted in pools:
        return wanted
    uids = sorted(uid for uid, name in pools.items() if name == wanted)
    if not uids:
        raise _nowhere(swept, wanted, pools, fleet)
    if len(uids) > 1:
        which = "; ".join(f"{uid} on {', '.join(swept.of(uid))}" for uid in uids)
        raise _asked_wrong(
            f"{len(uids)} pools are called {wanted}", f"They are {which}. Ask for one by its uid."
        )
    return uids[0]


def _nowhere(swept: _Swept, wanted: str, pools: Mapping[PoolUid, str], fleet: Fleet) -> RpoolError:
    unseen = f" Not reached: {', '.join(sorted(swept.unseen))}." if swept.unseen else ""
    if not swept.answered:
        reasons = "\n".join(f"  {error.summary}" for error in swept.unseen.values())
        return Unreachable(
            f"pool {wanted} cannot be looked for: no server of the fleet answers", reasons
        )
    seen = ", ".join(
        f"{name} ({uid})" for uid, name in sorted(pools.items(), key=lambda p: p[::-1])
    )
    found = f"Pools that were found, with their uids: {seen}." if pools else "No pool was found."
    summary = f"no server of the fleet belongs to a pool {wanted}"
    detail = f"{swept.answered} servers were asked. {found}{unseen}"
    return NoSuchPool(Problem((), summary, detail), certain=not swept.missed(fleet))


def _asked_wrong(summary: str, detail: str) -> SpecError:
    return SpecError([Problem((), summary, detail)])


def _remains(world: World, fleet: Fleet, swept: _Swept, uid: PoolUid) -> Remains | None:
    """If that is certain: all of the fleet has answered, but for servers that are marked lost, and
    no control plane may be alive that is not marked so. One that serves and has no record is that
    of a cluster which was never made to the end only if some claim says so: else somebody has
    deleted the record. Where there is none, no server may reach the API: the control planes may
    have no entry in this fleet.
    """
    if swept.missed(fleet) or swept.claim_lost:
        return None
    claims = {name: swept.claims[name] for name in swept.of(uid)}
    known = swept.control_planes_of(uid)
    control_planes = [name for name in known if not fleet.servers[name].lost]
    if control_planes:
        whole = all(claim.is_member for claim in claims.values())
        if whole or serving_control_plane(world, uid, control_planes) is None:
            return None
    elif not known and any(reaches_api(world, name) for name in claims if name in swept.joined):
        return None
    return Remains(
        _by_claims(fleet, swept, uid),
        (),
        f"of cluster {swept.pools()[uid]} ({uid}) only remains are left",
        f"Its create or its destroy was cut off. It has {', '.join(swept.of(uid))}. To give these "
        f"back: terraform import rpool_cluster.NAME {uid}, then apply or destroy.",
    )


def _by_claims(fleet: Fleet, swept: _Swept, uid: PoolUid) -> PoolView:
    """What it takes to give its servers back; nothing else is known."""
    return PoolView(
        uid=uid,
        name=swept.pools()[uid],
        kubernetes_version="",
        cores=0,
        memory_gib=0,
        condition=Condition.INCOMPLETE,
        endpoint="",
        vip=None,
        ca_certificate="",
        servers={n: member(fleet.servers[n], swept.claims[n].role) for n in swept.of(uid)},
    )


_MARK = (
    "Bring its control planes back; or put their entries into the fleet if it lacks them; or, if "
    "its record alone is gone, apply the rpool_cluster that made it. If its control planes, or "
    "servers that were not reached, are gone for good, mark them lost = true in the fleet: what is "
    "left of a create or a destroy that was cut off can be imported then, and given back."
)


def _no_api(swept: _Swept, uid: PoolUid, fleet: Fleet) -> NoApi:
    control_planes = swept.control_planes_of(uid)
    asked = (
        f"Asked its control planes {', '.join(control_planes)}: none showed the API and the "
        "pool's record."
        if control_planes
        else "None of them is a control plane that has joined."
    )
    unseen = "".join(f"\n  {error.summary}" for _, error in sorted(swept.unseen.items()))
    lost = ", ".join(sorted(swept.claim_lost))
    return NoApi(
        _by_claims(fleet, swept, uid),
        swept.missed(fleet),
        f"pool {swept.pools()[uid]} ({uid}) has servers, but none through which its API answers",
        f"Servers with its claim: {', '.join(swept.of(uid))}. {asked}"
        + (f"\nNot reached:{unseen}" if swept.missed(fleet) else "")
        + (f"\nJoined, without a claim: {lost}" if lost else "")
        + f"\n{_MARK}",
    )
