"""What a change sees before it begins: which of what is wished is possible, and why not all is.

Only the servers that come, go, or run the control plane are looked at. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rpool.decide.change import Change, Leaver
from rpool.decide.destroy import belongs_to
from rpool.decide.joining import Joining, member
from rpool.decide.preflight import findings, why_not_spare, why_too_small
from rpool.errors import Refused, RpoolError, StalePlan, Unreachable
from rpool.flow.admission import join_secrets, owner
from rpool.flow.observe import Sighting, probe_all, serving_control_plane
from rpool.model.claim import Claim, Phase
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.record import Member, Record, RecordPhase
from rpool.model.seen import ClusterSeen, Probed
from rpool.model.server import Fleet, Role, Server, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World


@dataclass(frozen=True, slots=True)
class Wish:
    """What a pool is to be: its request, its servers' roles, and which of those are pinned."""

    spec: PoolSpec
    roles: Mapping[ServerName, Role]
    pinned: Mapping[ServerName, NodeSpec]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen before anything is done: the change that is possible, and why not all is."""

    change: Change
    cluster: ClusterSeen
    seen: Mapping[ServerName, Probed]
    claims: Mapping[ServerName, Claim]
    errors: list[RpoolError] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Whether all is as wished already, down to the record in the cluster."""
        same = self.cluster.record == self.change.record
        return same and self.change.is_nothing and not self.errors


def look(
    prior: PoolView,
    wish: Callable[[Record], Wish],
    spec: PoolSpec | None,
    fleet: Fleet,
    world: World,
) -> Looked:
    via, cluster, record = _serving(prior, wish, spec, world)
    wished = wish(record)
    wanted, roles = wished.spec, wished.roles
    declared = {name: member(its, Role.WORKER) for name, its in fleet.servers.items()}
    members = {
        name: replace(declared.get(name, its), role=its.role)
        for name, its in record.members.items()
    }
    record = replace(record, members=members)  # sizes and zones are as the fleet has them now
    joiners = [
        name
        for name in roles
        if name not in members or name not in cluster.nodes or name in record.joining
    ]
    leavers = [name for name in members if name not in roles]
    heads = [name for name, its in members.items() if its.role is Role.CONTROL_PLANE]
    seen, unseen = probe_all(world, dict.fromkeys([via, *heads, *joiners, *leavers]))
    if via in unseen:
        raise unseen[via]
    claims = _claims(prior.uid, seen)
    errors: list[RpoolError] = []
    coming = _coming(joiners, fleet, seen, unseen, claims, errors)
    _preflight(wanted, {name: seen[name] for name in (via, *coming)}, claims)
    # Whoever is to replace a server joins before it leaves; without the one the other stays.
    going = [] if errors else _going(leavers, members, fleet, unseen, claims, errors)
    heir = _heir(via, roles, coming)
    if heir not in roles:
        raise Unreachable(
            f"all control planes of pool {prior.name} are to leave, and none can take their place",
            "Nothing was changed. " + " ".join(f"{error.summary}." for error in errors),
        )
    etcd = _etcd(world, via, going, members)
    joining = Joining(
        uid=prior.uid,
        spec=wanted,
        servers=fleet.servers,
        roles={via: Role.CONTROL_PLANE, **{name: roles[name] for name in coming}},
        owner=owner(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        secrets=join_secrets(),
        epoch=record.generation + 1,
        taints={name: its.taints for name, its in wished.pinned.items()},
    )
    change = Change(
        record=record,
        wanted=wanted,
        joining=joining,
        via=via,
        heir=heir,
        leavers=tuple(
            Leaver(
                name=name,
                role=members[name].role,
                claim=claims.get(name),
                has_node=name in cluster.nodes,
                in_etcd=name in etcd,
                lost=name in unseen,
            )
            for name in going
        ),
        pinned=wished.pinned,
        partial=bool(errors),
    )
    probed = {name: sighting.probed for name, sighting in seen.items()}
    return Looked(change, cluster, probed, claims, errors)


def _serving(
    prior: PoolView, wish: Callable[[Record], Wish], spec: PoolSpec | None, world: World
) -> tuple[ServerName, ClusterSeen, Record]:
    """A control plane that serves, one that stays if there is any, and the pool's record there."""
    heads = [name for name, its in prior.servers.items() if its.role is Role.CONTROL_PLANE]
    serving = serving_control_plane(world, prior.uid, heads)
    if serving is None:
        raise Unreachable(
            f"no control plane of pool {prior.name} shows its API",
            f"Asked: {', '.join(heads)}. Nothing was changed. Bring one back, then apply again.",
        )
    via, cluster = serving
    record = cluster.record or _unrecorded(prior, spec)
    if record.phase is RecordPhase.APPLYING:  # it may be older than what is known of the pool
        record = replace(record, members={**prior.servers, **record.members})
    staying = [name for name in heads if name in wish(record).roles]
    if via not in staying and (better := serving_control_plane(world, prior.uid, staying)):
        via, cluster = better
    return via, cluster, record


def _heir(via: ServerName, roles: Mapping[ServerName, Role], coming: Sequence[ServerName]) -> str:
    """Through whom the change is brought to its end: `via`, or a new one if that is to leave."""
    heads = [name for name in coming if roles[name] is Role.CONTROL_PLANE]
    if via in roles or not heads:
        return via
    return heads[0]


def _unrecorded(prior: PoolView, spec: PoolSpec | None) -> Record:
    """Of a pool whose create was cut off before it was written: `spec` is what it was to be."""
    if spec is None:
        raise Refused(
            f"pool {prior.name} is not complete: it has no record yet",
            "Apply its rpool_cluster first.",
        )
    return Record(prior.uid, spec, 1, RecordPhase.APPLYING, prior.servers)


def _claims(uid: str, seen: Mapping[ServerName, Sighting]) -> dict[ServerName, Claim]:
    """The pool's own claims among what was seen."""
    return {
        name: sighting.probed.claim
        for name, sighting in seen.items()
        if sighting.probed.claim is not None and belongs_to(uid, sighting.probed)
    }


def _coming(
    joiners: Iterable[ServerName],
    fleet: Fleet,
    seen: Mapping[ServerName, Sighting],
    unseen: Mapping[ServerName, RpoolError],
    claims: Mapping[ServerName, Claim],
    errors: list[RpoolError],
) -> list[ServerName]:
    """Those that can join; why the others can't goes to `errors`."""
    coming = []
    for name in joiners:
        error = unseen.get(name) or _why_not(name, fleet.servers[name], seen, claims.get(name))
        if error is None:
            coming.append(name)
        else:
            errors.append(error)
    return coming


def _why_not(
    name: ServerName, server: Server, seen: Mapping[ServerName, Sighting], claim: Claim | None
) -> RpoolError | None:
    probed = seen[name].probed
    if claim is not None:
        reason = "it is on its way out of this pool" if claim.phase is Phase.LEAVING else None
    else:
        reason = why_not_spare(probed)
    if reason is not None:
        return StalePlan(
            f"{name} was to join, but {reason}",
            "Plan again: it will pick another server. What else was planned is done.",
        )
    if small := why_too_small(server, probed):
        return Refused(f"{name} {small}", "Correct its entry in the fleet, then plan again.")
    return None


def _preflight(
    wanted: PoolSpec,
    seen: Mapping[ServerName, Sighting],
    claims: Mapping[ServerName, Claim],
) -> None:
    probed = {name: sighting.probed for name, sighting in seen.items()}
    offsets = {name: sighting.clock_offset_seconds for name, sighting in seen.items()}
    if found := findings(wanted, probed, offsets, members=claims):
        listed = "\n".join(f"  {finding}." for finding in found)
        raise Refused(
            f"pool {wanted.name} cannot take the servers that were planned",
            f"Nothing was changed. What is in the way:\n{listed}",
        )


def _going(
    leavers: Iterable[ServerName],
    members: Mapping[ServerName, Member],
    fleet: Fleet,
    unseen: Mapping[ServerName, RpoolError],
    claims: Mapping[ServerName, Claim],
    errors: list[RpoolError],
) -> list[ServerName]:
    """Those that can leave, workers first: they take the most time."""
    going = []
    for name in sorted(leavers, key=lambda n: members[n].role is Role.CONTROL_PLANE):
        if name in unseen and not fleet.servers[name].lost:
            errors.append(
                Unreachable(
                    f"{name} is to leave, but cannot be reached",
                    f"{unseen[name].summary}. Bring it back and apply again; or mark it "
                    "lost = true in the fleet if the hardware is gone.",
                )
            )
        else:
            going.append(name)
    return going


def _etcd(
    world: World,
    via: ServerName,
    going: Iterable[ServerName],
    members: Mapping[ServerName, Member],
) -> frozenset[ServerName]:
    """The names in etcd, if anybody asks."""
    if all(members[name].role is Role.WORKER for name in going):
        return frozenset()
    return frozenset(its.name for its in world.etcd_members(via))
