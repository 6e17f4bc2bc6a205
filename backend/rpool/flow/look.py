"""What a change sees before it begins: which of what is wished is possible, and why not all is.

Only the servers that come, go, or run the control plane are looked at. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rpool.decide.change import Change, Leaver
from rpool.decide.joining import Joining, member
from rpool.decide.membership import claims_of
from rpool.decide.preflight import findings, why_not_spare, why_too_small
from rpool.decide.quorum import member_of
from rpool.errors import Refused, RpoolError, StalePlan, Unreachable
from rpool.flow.admission import change_id, join_secrets, owner
from rpool.flow.find import NoApi, serving
from rpool.flow.observe import Sighting, probe_all, serving_control_plane
from rpool.flow.unrecorded import unrecorded
from rpool.model.claim import Claim
from rpool.model.pool import NodeSpec, PoolSpec, PoolUid
from rpool.model.record import Record
from rpool.model.seen import ClusterSeen, NodeSeen, Probed
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World


class HalfOut(StalePlan):
    """A server that is to be in the pool is on its way out by a change that was cut off."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a pool is to be: its request, its servers' roles, and which of those are pinned. With
    `one` it is about that pinned server alone.
    """

    spec: PoolSpec
    roles: Mapping[ServerName, Role]
    pinned: Mapping[ServerName, NodeSpec]
    one: ServerName | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen before anything is done: the change that is possible, and why not all is.
    `dropped` were members, or on their way in, but are the pool's no more: wiped, or another's.
    """

    change: Change
    cluster: ClusterSeen
    seen: Mapping[ServerName, Probed]
    claims: Mapping[ServerName, Claim]
    errors: list[RpoolError] = field(default_factory=list)
    dropped: frozenset[ServerName] = frozenset()

    @property
    def control_planes(self) -> list[ServerName]:
        """Those that the pool's lock is on: who is in for certain, unless seen to be the pool's no
        more, or taken by everybody for dead.
        """
        record = self.change.record
        dead = {leaver.name for leaver in self.change.leavers if leaver.lost and leaver.silent}
        inside = {name for name, claim in self.claims.items() if claim.is_member}
        inside.add(self.change.via)  # it serves, whatever its claim says yet
        silent = record.members.keys() - self.seen.keys() - record.joining - dead
        return [
            name
            for name, its in record.members.items()
            if its.role is Role.CONTROL_PLANE and name in inside | silent
        ]

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
    """Raises Unreachable, Refused and StalePlan where nothing at all can be done."""
    via, cluster, record = _serving(prior, wish, spec, fleet, world)
    wished = wish(record)
    declared = {name: member(its, Role.WORKER) for name, its in fleet.servers.items()}
    members = {  # sizes and zones are as the fleet has them now
        name: replace(declared.get(name, its), role=its.role)
        for name, its in record.members.items()
    }
    record = replace(record, members=members)
    return _Looking(prior.uid, wished, record, via, cluster, fleet, world).result()


class _Looking:
    """Who comes and who goes, and what stands against it."""

    def __init__(
        self,
        uid: PoolUid,
        wished: Wish,
        record: Record,
        via: ServerName,
        cluster: ClusterSeen,
        fleet: Fleet,
        world: World,
    ) -> None:
        self._uid = uid
        self._wished = wished
        self._record = record
        self._via = via
        self._cluster = cluster
        self._fleet = fleet
        self._world = world
        self._errors: list[RpoolError] = []
        self._joiners = [
            name for name in wished.roles if self._concerns(name) and self._comes(name)
        ]
        self._leavers = [
            name for name in record.members if name not in wished.roles and self._concerns(name)
        ]
        heads = [name for name, its in record.members.items() if its.role is Role.CONTROL_PLANE]
        stayers = record.leaving & record.members.keys() & wished.roles.keys()
        names = dict.fromkeys([via, *heads, *self._joiners, *self._leavers, *stayers])
        self._seen, self._unseen = probe_all(world, names)
        if via in self._unseen:
            raise self._unseen[via]
        probed = {name: sighting.probed for name, sighting in self._seen.items()}
        self._claims = claims_of(uid, probed)
        if via not in self._claims:
            raise Refused(
                f"{via} serves an API, but is not claimed by pool {record.spec.name} any more",
                "Nothing was changed. Plan again.",
            )
        self._refuse_half_out(stayers)

    def _concerns(self, name: ServerName) -> bool:
        if self._wished.one is not None:
            return name == self._wished.one
        return name not in self._record.pinned

    @property
    def _is_pinned(self) -> bool:
        """Whether what is wished is about one particular server: no other can take its place."""
        return self._wished.one is not None

    def _comes(self, name: ServerName) -> bool:
        """Whether there may be something left to do to have it in: of a pool whose create was cut
        off that is not known of anybody.
        """
        record = self._record
        known = name in record.members and name not in record.joining and record.created
        return not known or name not in self._cluster.nodes

    def _refuse_half_out(self, stayers: Iterable[ServerName]) -> None:
        """Who was reset, or is about to be, is no member, whatever a plan thinks."""
        for name in sorted(stayers):
            claim = self._claims.get(name)
            if self._concerns(name) and (claim is None or not claim.is_member):
                raise HalfOut(
                    f"{name} is on its way out of pool {self._record.spec.name}",
                    "Nothing was changed. Plan again, with a refresh.",
                )

    def result(self) -> Looked:
        wished, via = self._wished, self._via
        roles, wanted = wished.roles, wished.spec
        coming = [name for name in self._joiners if self._can_come(name)]
        self._preflight({name: self._seen[name] for name in (via, *coming)})
        dropped = frozenset(
            name
            for name in (self._record.joining | self._wiped()) - frozenset(coming)
            if name in self._seen and name not in self._claims and self._concerns(name)
            if name not in self._leavers or name not in self._cluster.nodes
        )
        record = self._without(dropped)
        health = self._etcd()
        leavers = [self._leaver(name, health) for name in self._in_order() if name not in dropped]
        if self._errors:  # without those that replace them nobody leaves but the dead
            leavers = [leaver for leaver in leavers if leaver.dead]
        else:
            leavers = [leaver for leaver in leavers if self._can_go(leaver)]
        heir = _heir(via, roles, coming)
        if heir not in roles:
            reasons = " ".join(f"{error.summary}." for error in self._errors)
            raise Unreachable(
                f"all control planes of pool {wanted.name} are to leave, and none can take their "
                "place",
                f"Nothing was changed. {reasons}",
            )
        nodes = self._cluster.nodes
        change = Change(
            record=record,
            wanted=wanted,
            joining=self._joining(coming),
            via=via,
            heir=heir,
            leavers=tuple(leavers),
            pinned=wished.pinned,
            nodeless=frozenset(n for n in coming if self._has_joined(n) and n not in nodes),
            cordoned=frozenset(
                name
                for name in roles
                if self._concerns(name) and name in nodes and nodes[name].let_go
            ),
            undressed=frozenset(
                name
                for name, spec in wished.pinned.items()
                if name == wished.one and name in nodes and not _wears(nodes[name], spec)
            ),
            staying=frozenset(filter(self._concerns, self._record.leaving & roles.keys())),
            one=wished.one,
            partial=bool(self._errors),
        )
        probed = {name: sighting.probed for name, sighting in self._seen.items()}
        return Looked(change, self._cluster, probed, self._claims, self._errors, dropped)

    def _wiped(self) -> set[ServerName]:
        """Workers whose Node is gone. A control plane is still in etcd: only who marks it lost says
        that it may be taken out there.
        """
        members = self._record.members
        return {
            name for name in self._joiners if name in members and members[name].role is Role.WORKER
        }

    def _has_joined(self, name: ServerName) -> bool:
        return self._seen[name].probed.joined

    def _without(self, dropped: frozenset[ServerName]) -> Record:
        members = {n: its for n, its in self._record.members.items() if n not in dropped}
        return replace(self._record, members=members, joining=self._record.joining - dropped)

    def _joining(self, coming: Sequence[ServerName]) -> Joining:
        roles = {name: self._wished.roles[name] for name in coming}
        return Joining(
            uid=self._uid,
            spec=self._wished.spec,
            servers=self._fleet.servers,
            roles={self._via: Role.CONTROL_PLANE, **roles},
            owner=owner(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            secrets=join_secrets(),
            change=change_id(),
            epoch=self._record.generation + 1,
            taints={name: its.taints for name, its in self._wished.pinned.items()},
        )

    def _can_come(self, name: ServerName) -> bool:
        error = self._why_not(name)
        if error is not None:
            self._errors.append(error)
        return error is None

    def _why_not(self, name: ServerName) -> RpoolError | None:
        if name in self._unseen:
            return Unreachable(
                f"{name} is to join, but cannot be reached",
                f"{self._unseen[name].summary}. Bring it back and apply again; or "
                + (_ANOTHER if self._is_pinned else _LOST),
            )
        probed, claim = self._seen[name].probed, self._claims.get(name)
        reason = self._why_not_again(name, claim) if claim else why_not_spare(probed)
        if reason is not None:
            why = reason if claim else f"is {reason}"
            return not_to_be_had(name, why, pinned=self._is_pinned)
        if small := why_too_small(self._fleet.servers[name], probed):
            return Refused(f"{name} {small}", "Correct its entry in the fleet, then plan again.")
        return None

    def _why_not_again(self, name: ServerName, claim: Claim) -> str | None:
        """Why a server that is claimed by this pool already cannot be taken as it is."""
        if claim.is_leaving:
            return "it is on its way out of this pool"
        if name not in self._record.members:
            return "it was a member of this pool before it was lost; wipe it first"
        return None

    def _preflight(self, seen: Mapping[ServerName, Sighting]) -> None:
        probed = {name: sighting.probed for name, sighting in seen.items()}
        clocks = {name: sighting.clock for name, sighting in seen.items()}
        if found := findings(self._wished.spec, probed, clocks, members=self._claims):
            listed = "\n".join(f"  {finding}." for finding in found)
            raise Refused(
                f"pool {self._wished.spec.name} cannot take the servers that were planned",
                f"Nothing was changed. What is in the way:\n{listed}",
            )

    def _in_order(self) -> list[ServerName]:
        """Workers first: they take the most time."""
        members = self._record.members
        return sorted(self._leavers, key=lambda n: members[n].role is Role.CONTROL_PLANE)

    def _etcd(self) -> dict[ServerName, bool]:
        """Leavers that are in etcd, also those that never started there, and whether they answer;
        asked only if a control plane is to leave.
        """
        members = self._record.members
        leaving = [n for n in self._leavers if members[n].role is Role.CONTROL_PLANE]
        if not leaving:
            return {}
        etcd = self._world.etcd_members(self._via)
        found = {name: member_of(etcd, name, members[name].address) for name in leaving}
        return {name: its.healthy for name, its in found.items() if its is not None}

    def _leaver(self, name: ServerName, health: Mapping[ServerName, bool]) -> Leaver:
        claim, role = self._claims.get(name), self._record.members[name].role
        lost, silent = self._is_lost(name), name in self._unseen
        if role is Role.WORKER:
            dead = lost and silent
        else:
            dead = not health.get(name, True) and (lost or not (silent or claim))
        return Leaver(
            name=name,
            role=role,
            claim=claim,
            has_node=name in self._cluster.nodes,
            joined=name in self._seen and self._has_joined(name),
            lost=lost,
            silent=silent,
            dead=dead,
        )

    def _is_lost(self, name: ServerName) -> bool:
        server = self._fleet.servers.get(name)
        return server is not None and server.lost

    def _can_go(self, leaver: Leaver) -> bool:
        if not leaver.silent or leaver.lost:
            return True
        name = leaver.name
        self._errors.append(
            Unreachable(
                f"{name} is to leave, but cannot be reached",
                f"{self._unseen[name].summary}. Bring it back and apply again; or mark it "
                "lost = true in the fleet if the hardware is gone.",
            )
        )
        return False


_ANOTHER = "name another server in this rpool_node."
_LOST = "mark it lost = true in the fleet if the hardware is gone, and another one is picked."


def not_to_be_had(name: ServerName, reason: str, *, pinned: bool = False) -> RpoolError:
    """A planned server, and why it is not a spare any more; `reason` ends a sentence about it. The
    next plan picks another one, but not for a `pinned` one: that is a person's choice.
    """
    summary = f"{name} was to join, but {reason}"
    if pinned:
        return Refused(summary, f"Free it and apply again; or {_ANOTHER}")
    return StalePlan(
        summary, "Plan again: it will pick another server. What else was planned is done."
    )


def _serving(
    prior: PoolView,
    wish: Callable[[Record], Wish],
    spec: PoolSpec | None,
    fleet: Fleet,
    world: World,
) -> tuple[ServerName, ClusterSeen, Record]:
    """A control plane that serves, one that stays if there is any, and the pool's record there."""
    found = serving(prior, fleet, world)
    if found is None:
        raise NoApi(
            prior,
            (),
            f"no control plane of pool {prior.name} shows its API",
            f"Asked: {', '.join(prior.control_planes)}. Nothing was changed. Bring one back, then "
            "apply again. If none can come back, all that is left is to destroy the cluster.",
        )
    via, cluster = found
    record = cluster.record or unrecorded(prior, cluster, spec, fleet, world)
    if not record.created and spec is not None:
        # It may be older than what is known of the pool.
        record = replace(record, members={**prior.servers, **record.members})
    roles = wish(record).roles
    staying = [
        name
        for name, its in record.members.items()
        if its.role is Role.CONTROL_PLANE and name in roles and name not in record.joining
    ]
    if via not in staying and (better := serving_control_plane(world, prior.uid, staying)):
        via, cluster = better
    return via, cluster, record


def _heir(via: ServerName, roles: Mapping[ServerName, Role], coming: Sequence[ServerName]) -> str:
    """Through whom the change is brought to its end: `via`, or a new one if that is to leave."""
    heads = [name for name in coming if roles[name] is Role.CONTROL_PLANE]
    if via in roles or not heads:
        return via
    return heads[0]


def _wears(node: NodeSeen, spec: NodeSpec) -> bool:
    """Whether a node has all the labels and taints that it was given."""
    labels = all(node.labels.get(key) == value for key, value in spec.labels.items())
    return labels and all(taint in node.taints for taint in spec.taints)
