"""Locating a cluster: by the servers in its state, or else on the whole fleet.

A claim says which cluster has a server; a control plane of the cluster shows its record.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from rpool.advice import Do
from rpool.attempt import NoApi, Remains
from rpool.decide.believed import false_members
from rpool.decide.membership import ca_of, claims_of, runs_control_plane
from rpool.decide.view import of_record
from rpool.errors import Problem, RpoolError, SpecError, Unreachable
from rpool.flow.look import Silent, probe_all, reach_api, reaches_api, sweep
from rpool.flow.no_such import no_such_cluster, several_clusters
from rpool.model.claim import Claim
from rpool.model.observed import Api, Observed
from rpool.model.pool import PoolUid
from rpool.model.record import Member, Record
from rpool.model.secret import may_be_key, shown
from rpool.model.seen import ClusterSeen, Probed
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

PATIENCE_SECONDS = 10.0
"""Longer than for an offer: a missed cluster is an error, a missed spare only a worse pick."""

LOOK_SECONDS = 60.0
"""For a cluster that may have moved: a read has to end, with whatever is known by then."""

LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Pool:
    """A cluster by what it says itself; `through` is the control plane that showed it."""

    through: ServerName
    cluster: ClusterSeen
    record: Record

    @property
    def view(self) -> PoolView:
        """The cluster, with the size in the record also during a change: no other is known."""
        return of_record(self.record, self.cluster.ca_certificate)


@dataclass(slots=True)
class Swept:
    """The answers of the servers that were asked so far."""

    probed: dict[ServerName, Probed] = field(default_factory=dict)
    silent: Silent = field(default_factory=dict)

    @classmethod
    def of(cls, world: World, servers: Iterable[ServerName]) -> Swept:
        """The answers of these servers; silent ones are not waited for."""
        swept = cls()
        for name, answer in sweep(world, servers, PATIENCE_SECONDS):
            swept.add(name, answer)
        return swept

    def add(self, name: ServerName, answer: Probed | RpoolError) -> None:
        if isinstance(answer, RpoolError):
            self.silent[name] = answer
        else:
            self.probed[name] = answer

    def claims(self, uid: PoolUid) -> dict[ServerName, Claim]:
        return dict(sorted(claims_of(uid, self.probed).items()))

    def control_planes(self, uid: PoolUid) -> list[ServerName]:
        """The claimed control planes that have joined."""
        claims = self.claims(uid).items()
        return [
            n for n, claim in claims if claim.role is Role.CONTROL_PLANE and self.probed[n].joined
        ]

    def claim_lost(self) -> list[ServerName]:
        return sorted(
            n for n, probed in self.probed.items() if probed.claim is None and probed.joined
        )

    def missed(self, fleet: Fleet) -> list[ServerName]:
        return [name for name in self.silent if not fleet.servers[name].lost]

    def pools(self) -> dict[PoolUid, str]:
        """The names of all clusters that have a claim, by uid."""
        claims = (probed.claim for probed in self.probed.values())
        return {claim.uid: claim.pool for claim in claims if claim is not None}


def find(
    world: World,
    fleet: Fleet,
    uid_or_name: str,
    longest_seconds: float = math.inf,
    known_ca: str = "",
    in_vain: Collection[ServerName] = (),
    quiet_seconds: float = math.inf,
) -> Pool:
    """The cluster with that uid, or else that name, on whichever servers it is.

    `known_ca`: a certificate of its CA, or the CA's pin. With it, the search ends at the first
    control plane that serves; those in `in_vain` are not asked again. Without it, the whole fleet
    is asked: any server can claim to be of the cluster, and no two may name different CAs. No
    server is waited for after `longest_seconds`, or if none at all answers for `quiet_seconds`.

    Raises SpecError when there is no such cluster or the name is ambiguous, Unreachable when no
    server answers, or none that shows the cluster's API, Refused when servers name two CAs.
    """
    if len(uid_or_name) > LONGEST_NAME or may_be_key(uid_or_name):
        raise _asked_wrong(
            f"{shown(uid_or_name)} is neither the uid nor the name of a cluster",
            "A uid is like 0863513a9c41d07e; a name has 40 characters at most.",
        )
    swept, began = Swept(), time.monotonic()
    patience = min(PATIENCE_SECONDS, quiet_seconds)
    for name, answer in sweep(world, _likely_first(fleet), patience, longest_seconds):
        swept.add(name, answer)
        if not swept.probed and time.monotonic() - began >= quiet_seconds:
            break
        if known_ca and name not in in_vain and name in swept.control_planes(uid_or_name):
            pool = _through(world, uid_or_name, [name], known_ca)
            if pool is not None:
                return pool
    uid = _which(swept, uid_or_name, fleet)
    # With the CA known all others were asked as they answered.
    candidates = [] if known_ca and uid == uid_or_name else swept.control_planes(uid)
    known_ca = known_ca or ca_of(swept.claims(uid))
    pool = _through(world, uid, candidates, known_ca)
    if pool is None:
        raise _remains(world, fleet, swept, uid, known_ca) or _no_api(swept, uid, fleet)
    unasked = {n: m for n, m in pool.record.members.items() if n not in fleet.servers}
    false = false_members(pool.record, swept.probed, unasked, fleet)
    members = {n: m for n, m in pool.record.members.items() if n not in false}
    return replace(pool, record=replace(pool.record, members=members))


def api_of(prior: PoolView, fleet: Fleet, world: World) -> tuple[Api | None, Silent]:
    """The API of a known cluster, or why no control plane shows it.

    If no known control plane does, a change that the state does not know of may have moved the
    cluster. Unless all of them are still its members, the whole fleet is searched, for
    `LOOK_SECONDS` at most. Raises NoSuchPool when no server that answers has its claim.
    """
    api, silent = reach_api(world, prior.uid, prior.control_planes, prior.ca_certificate)
    if api is not None and api.cluster.record is not None:
        return api, silent
    claims = Observed(prior.uid).with_servers(*probe_all(world, prior.control_planes)).claims
    if api is not None and api.through in claims:
        return api, silent  # a create that was cut off early, or somebody has deleted the record
    members = {name for name, claim in claims.items() if claim.is_member}
    if prior.control_planes and members == set(prior.control_planes):
        return None, silent
    try:
        search = (LOOK_SECONDS, prior.ca_certificate, silent.keys())
        pool = find(world, fleet, prior.uid, *search)
    except Unreachable:
        return None, silent
    return reach_api(world, prior.uid, [pool.through], prior.ca_certificate)


def _likely_first(fleet: Fleet) -> list[ServerName]:
    return sorted(fleet.servers, key=lambda name: (fleet.servers[name].lost, name))


def _through(
    world: World, uid: PoolUid, control_planes: Iterable[ServerName], known_ca: str
) -> Pool | None:
    api, _ = reach_api(world, uid, control_planes, known_ca)
    if api is None or api.cluster.record is None:
        return None
    return Pool(api.through, api.cluster, api.cluster.record)


def _which(swept: Swept, wanted: str, fleet: Fleet) -> PoolUid:
    pools = swept.pools()
    if wanted in pools:
        return wanted
    uids = sorted(uid for uid, name in pools.items() if name == wanted)
    if not uids:
        raise _nowhere(swept, wanted, pools, fleet)
    if len(uids) > 1:
        raise several_clusters(wanted, {uid: swept.claims(uid) for uid in uids})
    return uids[0]


def _nowhere(swept: Swept, wanted: str, pools: Mapping[PoolUid, str], fleet: Fleet) -> RpoolError:
    silent = {name: error.summary for name, error in swept.silent.items()}
    certain = not swept.missed(fleet)
    return no_such_cluster(wanted, pools, len(swept.probed), silent, certain=certain)


def _asked_wrong(summary: str, detail: str) -> SpecError:
    return SpecError([Problem((), summary, detail)])


def may_be_alive(pool: PoolView, fleet: Fleet, world: World) -> dict[ServerName, str]:
    """Servers that may still run a control plane of the cluster, and why that is not excluded.

    An API that gives no answer proves nothing: it may restart, or be slow. The cluster may have
    moved, so the whole fleet is asked. A server is excluded when it is silent and marked lost, or
    has answered and shows nothing of a control plane. One that shows a control plane and has lost
    its claim may be the cluster's. The control planes may also have no entry in this fleet: then
    the cluster's servers still reach the API.
    """
    absent = set(pool.control_planes) - fleet.servers.keys()
    alive = dict.fromkeys(absent, "the fleet no longer has this server")
    swept = Swept.of(world, fleet.servers)
    alive |= {name: swept.silent[name].summary for name in swept.missed(fleet)}
    for name, probed in swept.probed.items():
        if runs_control_plane(probed) and (probed.claim is None or probed.claim_of(pool.uid)):
            alive[name] = "has the files of a control plane"
        elif probed.claim_of(pool.uid) and probed.joined and reaches_api(world, name):
            alive[name] = "reaches its API, which is on none of this fleet's servers"
    return alive


def _remains(
    world: World, fleet: Fleet, swept: Swept, uid: PoolUid, known_ca: str
) -> Remains | None:
    """The remains of a create or a destroy that was cut off; None unless that is certain.

    It is certain when every server has answered or is marked lost, and no control plane may be
    alive. A control plane that serves without a record is one of an unfinished create only if some
    claim is not yet a member's: else somebody has deleted the record. Without any control plane, no
    server may reach the API: the control planes may have no entry in this fleet.
    """
    if swept.missed(fleet) or swept.claim_lost():
        return None
    claims, known = swept.claims(uid), swept.control_planes(uid)
    control_planes = [name for name in known if not fleet.servers[name].lost]
    if control_planes:
        all_members = all(claim.is_member for claim in claims.values())
        if all_members or reach_api(world, uid, control_planes, known_ca)[0] is None:
            return None
    elif not known:
        joined = [n for n in claims if swept.probed[n].joined and not fleet.servers[n].lost]
        if any(reaches_api(world, name) for name in joined):
            return None
    return Remains(
        _by_claims(fleet, swept, uid),
        f"only leftovers of cluster {swept.pools()[uid]} ({uid}) remain",
        f"Its create or its destroy was interrupted. It has {', '.join(claims)}. "
        + Do.REPLACE_REMAINS.text(uid=uid),
    )


def _by_claims(fleet: Fleet, swept: Swept, uid: PoolUid) -> PoolView:
    """The cluster by its claims: enough to give its servers back, and all that is known."""
    claims = swept.claims(uid)
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
        servers={
            name: Member.of(fleet.servers[name], claim.role) for name, claim in claims.items()
        },
    )


def _no_api(swept: Swept, uid: PoolUid, fleet: Fleet) -> NoApi:
    control_planes = swept.control_planes(uid)
    asked = (
        f"Asked its control planes {', '.join(control_planes)}: none served the API with the "
        "cluster's record."
        if control_planes
        else "None of them is a control plane that has joined."
    )
    silent = "".join(f"\n  {error.summary}" for _, error in sorted(swept.silent.items()))
    lost = ", ".join(swept.claim_lost())
    name = swept.pools()[uid]
    return NoApi(
        _by_claims(fleet, swept, uid),
        f"cluster {name} ({uid}) has servers, but its API answers on none of them",
        f"Servers with its claim: {', '.join(swept.claims(uid))}. {asked}"
        + (f"\nNot reached:{silent}" if swept.missed(fleet) else "")
        + (f"\nJoined, without a claim: {lost}" if lost else "")
        + f"\n{Do.FIND_API.text(uid=uid)}",
    )
