"""Which servers a cluster has after a change: which stay, join and leave.

A pure function of the request, the cluster as it is, what the last read found free (the offer) and
the declared fleet: Terraform plans twice, in any order, and compares. A server leaves only when the
request was lowered, the selector no longer takes it, or the fleet marks it `retire` or `lost` or
has it in another domain of trust. The servers that take its place join first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from rpool.decide.placement import (
    candidates,
    fewer_control_planes,
    fits,
    keepers,
    place,
    working,
)
from rpool.decide.rules import check_room, does_not_fit, in_turn
from rpool.errors import DoesNotFit
from rpool.model.pool import DEFAULT_GROUP, PoolSpec, PoolUid, Tolerance
from rpool.model.server import Fleet, Role, Roles, Server, ServerName


@dataclass(frozen=True, slots=True)
class Offer:
    """What a read found for a cluster. Of the `verified` spares some are `given` to this cluster
    and no other; on `doubtful` ones something has failed, so others come first. `taken` says why a
    server is taken, or unusable.
    """

    verified: frozenset[ServerName] = frozenset()
    given: frozenset[ServerName] = frozenset()
    taken: Mapping[ServerName, str] = field(default_factory=dict)
    doubtful: frozenset[ServerName] = frozenset()

    def without_doubt(self) -> Offer:
        """The offer without servers on which something has failed."""
        doubt = dict.fromkeys(self.doubtful, "something has failed there")
        return replace(self, taken={**doubt, **self.taken})


@dataclass(frozen=True, slots=True)
class Size:
    """The part of a request that shrinks a cluster when it is lowered."""

    cores: int
    memory_gib: int
    tolerate: Tolerance
    more_work: bool = False  # control planes take pods, too

    @classmethod
    def of(cls, spec: PoolSpec) -> Size:
        schedulable = spec.control_plane.schedulable
        return cls(spec.cores, spec.memory_gib, spec.tolerate, schedulable)

    def is_lower_than(self, other: Size) -> bool:
        """Whether it is lower in any respect, so that servers may no longer be needed."""
        return (
            self.cores < other.cores
            or self.memory_gib < other.memory_gib
            or self.tolerate.servers < other.tolerate.servers
            or self.tolerate.zones < other.tolerate.zones
            or self.more_work > other.more_work
        )


NO_SIZE = Size(0, 0, Tolerance())


@dataclass(frozen=True, slots=True)
class Current:
    """A cluster as it is: the size that was carried out last, and its servers. Where a change was
    cut off, servers in `leaving` are half out and do not come back; those in `joining` are half in,
    and leave first if they are not needed. `lost` servers stay only where none can replace them,
    and `failed` ones (joining, and something failed) only where no server without doubt can.
    """

    uid: PoolUid
    size: Size
    roles: Roles
    joining: frozenset[ServerName] = frozenset()
    leaving: frozenset[ServerName] = frozenset()
    lost: frozenset[ServerName] = frozenset()
    failed: frozenset[ServerName] = frozenset()
    # The group of each server that is not in the default one, and the sizes of those groups.
    groups: Mapping[ServerName, str] = field(default_factory=dict)
    sizes: Mapping[str, Size] = field(default_factory=dict)

    def part(self, group: str) -> Current:
        """The servers of one group."""
        roles = {n: role for n, role in self.roles.items() if self.group(n) == group}
        size = self.size if group == DEFAULT_GROUP else self.sizes.get(group, NO_SIZE)
        return replace(self, roles=roles, size=size, groups={}, sizes={})

    def group(self, name: ServerName) -> str:
        return self.groups.get(name, DEFAULT_GROUP)


@dataclass(frozen=True, slots=True)
class Target:
    """Role by server name after a change, and the difference from before. `contested` gives, for a
    server that joins, another cluster that it is planned for, too. `no_spare` says why some lost
    servers stay.
    """

    roles: Roles
    joining: frozenset[ServerName]
    leaving: frozenset[ServerName]
    contested: Mapping[ServerName, str] = field(default_factory=dict)
    no_spare: DoesNotFit | None = None
    groups: Mapping[ServerName, str] = field(default_factory=dict)


def target(wanted: PoolSpec, current: Current, fleet: Fleet, offer: Offer) -> Target:
    """The cluster's servers after the change to `wanted`. Raises DoesNotFit with all counts."""
    if offer.doubtful or current.failed:
        with suppress(DoesNotFit):
            return _without_doubt(wanted, current, fleet, offer.without_doubt())
    as_joined = replace(current, failed=frozenset())
    try:
        return _target(wanted, as_joined, fleet, offer)
    except DoesNotFit as why:
        no_spare = why
    if not current.lost:
        raise no_spare
    lost = _replaceable(
        current.lost, lambda names: _target(wanted, replace(as_joined, lost=names), fleet, offer)
    )
    result = target(wanted, replace(current, lost=lost), fleet, offer)
    return replace(result, no_spare=no_spare)


def _without_doubt(wanted: PoolSpec, current: Current, fleet: Fleet, offer: Offer) -> Target:
    """The target with only servers on which nothing has failed. The cluster's own that `failed`
    stay only where there is no other server.
    """

    def without(names: frozenset[ServerName]) -> Target:
        return _target(wanted, replace(current, failed=names), fleet, offer)

    return without(_replaceable(current.failed, without))


def _replaceable(
    names: frozenset[ServerName], without: Callable[[frozenset[ServerName]], Target]
) -> frozenset[ServerName]:
    """Those of `names` that the cluster fits together without, tried in order."""
    replaceable: frozenset[ServerName] = frozenset()
    for name in sorted(names):
        with suppress(DoesNotFit):
            without(replaceable | {name})
            replaceable |= {name}
    return replaceable


def _target(wanted: PoolSpec, current: Current, fleet: Fleet, offer: Offer) -> Target:
    """The target, group by group: a server in one group is taken for all others."""
    roles: dict[ServerName, Role] = {}
    groups: dict[ServerName, str] = {}
    for group in in_turn(wanted, fleet):
        part = current.part(group)
        others = {n: f"in group {current.group(n)}" for n in current.roles.keys() - part.roles}
        others |= {name: f"in group {groups.get(name, DEFAULT_GROUP)}" for name in roles}
        rest = replace(offer, taken={**offer.taken, **others})
        placed = _of_group(wanted.part(group), part, fleet, rest, group)
        roles |= placed
        groups |= dict.fromkeys(placed, group) if group != DEFAULT_GROUP else {}
    check_room(wanted, len(roles))
    return Target(
        roles,
        joining=frozenset(roles.keys() - current.roles.keys()),
        leaving=frozenset(current.roles.keys() - roles.keys()),
        groups=groups,
    )


def _of_group(wanted: PoolSpec, current: Current, fleet: Fleet, offer: Offer, group: str) -> Roles:
    staying = _staying(wanted, current, fleet)
    roles = _joined(wanted, current, fleet, offer, staying, group)
    return _without_needless(wanted, current, fleet, roles)


def as_is(current: Current, fleet: Fleet) -> Target:
    """The cluster with the servers that it has, for one that no longer fits. Servers that are half
    out or lost leave; a retiring one stays until another takes its place.
    """
    roles = {
        name: role
        for name, role in current.roles.items()
        if name not in current.leaving and not fleet.servers[name].lost
    }
    leaving = frozenset(current.roles.keys() - roles.keys())
    return Target(roles, frozenset(), leaving, groups=current.groups)


def _staying(wanted: PoolSpec, current: Current, fleet: Fleet) -> dict[ServerName, Role]:
    """Members that may stay, without control planes beyond the wanted number."""
    fit = {
        name: role
        for name, role in current.roles.items()
        if name not in current.leaving | current.lost | current.failed
        and not _is_marked(fleet.servers[name])
        and fits(wanted, fleet.servers[name], role)
    }
    control_planes = [
        fleet.servers[name] for name, role in fit.items() if role is Role.CONTROL_PLANE
    ]
    for server in _surplus(wanted, current, control_planes):
        del fit[server.name]
    return fit


def _surplus(wanted: PoolSpec, current: Current, control_planes: list[Server]) -> list[Server]:
    """Control planes beyond the wanted number, half-joined ones first."""
    count = wanted.control_plane.servers
    joined = [server for server in control_planes if server.name not in current.joining]
    half_joined = [server for server in control_planes if server.name in current.joining]
    kept = fewer_control_planes(wanted, joined, count, current.uid)
    kept += fewer_control_planes(wanted, half_joined, max(0, count - len(kept)), current.uid)
    return [server for server in control_planes if server not in kept]


def _is_marked(server: Server) -> bool:
    return server.retire or server.lost


def _joined(
    wanted: PoolSpec, current: Current, fleet: Fleet, offer: Offer, staying: Roles, group: str
) -> Roles:
    """Servers that stay and servers that must join. Waste decides first. Of servers that are alike,
    one given to this cluster comes before another spare, and a spare before one not verified.
    """
    stay = [fleet.servers[name] for name in staying]
    out = current.roles.keys() | offer.taken.keys()
    open_ = [server for server in candidates(fleet, wanted) if server.name not in out]
    ranks = {s.name: 2 - (s.name in offer.verified) - (s.name in offer.given) for s in open_}
    ranks |= dict.fromkeys(offer.doubtful & ranks.keys(), 3)
    placement = place(wanted, [*stay, *open_], staying, current.uid, ranks)
    if placement.shortfall is None:
        return placement.roles
    going = current.roles.keys() - staying.keys()
    reasons = {n: why for n, why in offer.taken.items() if n in fleet.servers}
    reasons |= {n: "leaves the cluster" for n in going if not _is_marked(fleet.servers[n])}
    reasons |= dict.fromkeys(going & current.lost, "is lost")
    raise does_not_fit(wanted, fleet, placement.shortfall, reasons, staying, group)


def _without_needless(
    wanted: PoolSpec, current: Current, fleet: Fleet, roles: Roles
) -> dict[ServerName, Role]:
    """`roles` without workers that are not needed: any member if the request was lowered, else only
    half-joined ones.
    """
    lowered = Size.of(wanted).is_lower_than(current.size)
    may_go = current.roles.keys() if lowered else current.joining
    workers = [name for name, role in roles.items() if role is Role.WORKER]
    removable = [fleet.servers[name] for name in workers if name in may_go]
    fixed = [fleet.servers[name] for name in workers if name not in may_go]
    planes = [fleet.servers[n] for n, role in roles.items() if role is Role.CONTROL_PLANE]
    certain = [*fixed, *working(wanted, planes)]
    kept = {server.name for server in keepers(wanted, removable, certain, current.uid)}
    dropped = {server.name for server in removable} - kept
    return {name: role for name, role in roles.items() if name not in dropped}
