"""Every server of a site as it is now, and its cluster; what was let go is marked as such."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from rpool.advice import Do
from rpool.decide.believed import false_members
from rpool.decide.membership import Membership, ca_of, lost_in
from rpool.decide.preflight import why_not_usable
from rpool.decide.view import of_members
from rpool.errors import RpoolError, Unreachable
from rpool.flow.look import Silent, reach_api, sweep
from rpool.flow.no_such import no_such_cluster, several_clusters
from rpool.model.claim import Claim
from rpool.model.observed import Observed, Sighting
from rpool.model.pool import PoolUid
from rpool.model.record import Record
from rpool.model.seen import ClockSeen, NodeSeen, Probed
from rpool.model.server import Fleet, Role, Server, ServerName
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

PATIENCE_SECONDS = 3.0
CLUSTERS_AT_ONCE = 8

Claims = Mapping[ServerName, Claim]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """`probed` is None without contact; `why_no_spare` is None for a spare. `let_go`: the cluster
    that has claimed it no longer counts on it.
    """

    probed: Probed | None
    why_no_spare: str | None
    let_go: bool = False


@dataclass(frozen=True, slots=True)
class Clustered:
    """A cluster by the claims on its servers, and by its API where that is shown."""

    uid: PoolUid
    name: str  # by the claims, as is the owner
    owner: str
    claims: Claims
    # By its API.
    record: Record | None = None
    view: PoolView | None = None
    nodes: Mapping[ServerName, NodeSeen] | None = None
    through: ServerName = ""  # the control plane that shows the API
    silent: str = ""  # why none shows it
    is_half: bool = False  # the reason: it is being made or destroyed, or that was cut off

    @property
    def condition(self) -> Condition:
        """How it is, as far as that is known."""
        if self.view is not None:
            return self.view.condition
        return Condition.INCOMPLETE if self.is_half else Condition.UNREACHABLE

    @property
    def control_planes(self) -> list[ServerName]:
        """By the claims of servers that answered, and by the record."""
        claimed = {name for name, claim in self.claims.items() if claim.role is Role.CONTROL_PLANE}
        return sorted(claimed.union(self.record.of(Role.CONTROL_PLANE) if self.record else ()))

    @property
    def shown_record(self) -> Record:
        """Its record. Raises Unreachable where no control plane shows it."""
        if self.record is None:
            raise Unreachable(
                f"no control plane of cluster {self.name} ({self.uid}) shows its API",
                f"Servers with its claim: {', '.join(self.claims)}. {self.silent}.\n"
                + Do.FIND_API.text(uid=self.uid),
            )
        return self.record


@dataclass(frozen=True, slots=True)
class Survey:
    """All servers of a fleet, and all clusters that have a claim on one of them."""

    fleet: Fleet
    servers: Mapping[ServerName, Surveyed]
    clusters: Mapping[PoolUid, Clustered]

    def cluster(self, uid_or_name: str) -> Clustered:
        """The cluster of that uid, or else of that name. Raises SpecError when there is none, or
        when several have the name; Unreachable when no server answers.
        """
        if cluster := self.clusters.get(uid_or_name):
            return cluster
        named = [cluster for cluster in self.clusters.values() if cluster.name == uid_or_name]
        if len(named) == 1:
            return named[0]
        if named:
            raise several_clusters(uid_or_name, {cluster.uid: cluster.claims for cluster in named})
        names = {uid: cluster.name for uid, cluster in self.clusters.items()}
        silent = {
            n: server.why_no_spare or "" for n, server in self.servers.items() if not server.probed
        }
        asked = len(self.servers) - len(silent)
        lost = lost_in(self.fleet)
        raise no_such_cluster(uid_or_name, names, asked, silent, certain=silent.keys() <= lost)

    @property
    def free(self) -> list[Server]:
        """The spares that clusters may pick: not reserved, retiring or lost."""
        return [
            server
            for name, server in sorted(self.fleet.servers.items())
            if self.servers[name].why_no_spare is None
            and not (server.reserved or server.retire or server.lost)
        ]


def survey(world: World, fleet: Fleet) -> Survey:
    """All servers; one that is out of reach, or silent for 3 s, is data and not an error."""
    surveyed: dict[ServerName, Surveyed] = {}
    probes: dict[ServerName, Probed] = {}
    silent: Silent = {}
    claims: defaultdict[PoolUid, dict[ServerName, Claim]] = defaultdict(dict)
    for name, answer in sweep(world, sorted(fleet.servers), PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            surveyed[name], silent[name] = Surveyed(None, answer.summary), answer
            continue
        probes[name] = answer
        surveyed[name] = Surveyed(answer, why_not_usable(fleet.servers[name], answer))
        if answer.claim is not None:
            claims[answer.claim.uid][name] = answer.claim

    def cluster(uid: PoolUid) -> Clustered:
        return _cluster(world, fleet, _by_claims(uid, claims[uid]), probes, silent)

    with ThreadPoolExecutor(CLUSTERS_AT_ONCE, thread_name_prefix="cluster") as pool:
        clusters = dict(zip(claims, pool.map(cluster, claims), strict=True))
    for clustered in clusters.values():
        for name, claim in clustered.claims.items():
            if why := _why_let_go(name, claim, clustered.claims, clustered.record):
                surveyed[name] = Surveyed(surveyed[name].probed, why, let_go=True)
    return Survey(fleet, dict(sorted(surveyed.items())), clusters)


def _by_claims(uid: PoolUid, claims: Claims) -> Clustered:
    """The cluster, with the owner and the name in the latest claim: each change makes its own."""
    latest = max(claims.values(), key=lambda claim: (claim.epoch, claim.since))
    return Clustered(uid, latest.pool, latest.owner, dict(sorted(claims.items())))


def _cluster(
    world: World,
    fleet: Fleet,
    clustered: Clustered,
    probes: Mapping[ServerName, Probed],
    silent: Silent,
) -> Clustered:
    """The cluster with what its API shows, compared with its servers as a read does."""
    control_planes = {
        name: claim
        for name, claim in clustered.claims.items()
        if claim.role is Role.CONTROL_PLANE and claim.is_member
    }
    try:
        api, why = reach_api(world, clustered.uid, control_planes, ca_of(control_planes))
    except RpoolError as error:
        return replace(clustered, silent=error.summary)
    record = api.cluster.record if api is not None else None
    if api is None or record is None or record.uid != clustered.uid:
        why_half = "" if why else _why_half(clustered.claims, has_api=api is not None)
        reasons = "; ".join(error.summary for _, error in sorted(why.items()))
        reason = why_half or reasons or "no control plane of it answers"
        return replace(clustered, silent=reason, is_half=bool(why_half))
    false = false_members(record, probes, {}, fleet)
    record = replace(record, members={n: m for n, m in record.members.items() if n not in false})
    names = {*record.members, *clustered.claims}
    seen = {n: Sighting(probes[n], ClockSeen(0.0)) for n in names & probes.keys()}
    quiet = {n: silent[n] for n in names & silent.keys()}
    members = Membership(record, Observed(clustered.uid, api, record, seen, quiet), fleet)
    view = of_members(members, api.cluster.ca_certificate)
    return replace(
        clustered, record=record, view=view, nodes=api.cluster.nodes, through=api.through
    )


def _why_half(claims: Claims, *, has_api: bool) -> str:
    """Why a cluster has no record though nothing is wrong with it; "" if something may be."""
    if all(claim.is_leaving for claim in claims.values()):
        return "it is being destroyed, or its destroy was interrupted"
    made = "it is being created, or its create was interrupted"
    if has_api:
        return f"{made}, or its record was deleted: its API has none"
    control_planes = [claim for claim in claims.values() if claim.role is Role.CONTROL_PLANE]
    if control_planes and not any(claim.is_member for claim in claims.values()):
        return f"{made}: no control plane has joined yet"
    return ""


def _why_let_go(
    name: ServerName, claim: Claim, of_cluster: Claims, record: Record | None
) -> str | None:
    """What became of a server that its cluster no longer counts on; None if it does, or may."""
    cluster = f"cluster {claim.pool} (uid {claim.uid})"
    if record is not None and name not in record.members:
        return f"removed from {cluster}, and came back with its old data: its next apply wipes it"
    if claim.is_member and not any(c.role is Role.CONTROL_PLANE for c in of_cluster.values()):
        gone = f"claimed by {cluster}, of which no control plane answers"
        return f"{gone}. {Do.RELEASE.text(server=name, uid=claim.uid)}"
    return None
