"""Why a cluster has its servers and no others. Pure.

A member was chosen when it joined, and never moves for a better one. So it is compared with what
would take its place today if only this member were missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rpool.decide.placement import (
    extra_labels,
    fits,
    outlasting,
    place,
    waste,
    working,
)
from rpool.model.pool import DEFAULT_GROUP, PoolSpec, PoolUid, Selector
from rpool.model.record import Record
from rpool.model.server import Fleet, Role, Roles, Server, ServerName
from rpool.model.trust import named


@dataclass(frozen=True, slots=True)
class Choice:
    """Why a server is a member. `instead` are the runners-up, which would take its place.
    `waste` and `waste_instead` are shares of all candidates, as placement counts them.
    """

    server: Server
    role: Role
    group: str
    why: str
    instead: tuple[ServerName, ...] = ()
    waste: float = 0.0
    waste_instead: float | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """What one group of workers has, and is to have by its `spec`. `beyond_*` is what it has beyond
    that after the loss that it is to outlast.
    """

    group: str
    spec: PoolSpec
    cores: int
    memory_gib: int
    beyond_cores: int
    beyond_memory_gib: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """`refused`: every other server that this cluster cannot have, and why; `free`: those that it
    could have.
    """

    sizings: tuple[Sizing, ...]
    choices: tuple[Choice, ...]
    refused: Mapping[ServerName, str]
    free: tuple[Server, ...]


def explain(record: Record, fleet: Fleet, unusable: Mapping[ServerName, str | None]) -> Explanation:
    """Why the members of a record are its servers. `unusable` says why a server that was probed is
    no spare; None for a spare.
    """
    spec = record.spec
    servers = {n: _server(n, record, fleet) for n in record.members}
    refused = {
        name: why
        for name, server in sorted(fleet.servers.items())
        if name not in servers and (why := _why_refused(spec, server, unusable))
    }
    free = tuple(
        server
        for n, server in sorted(fleet.servers.items())
        if n not in refused and n not in servers
    )
    sizings: list[Sizing] = []
    choices = list(_pinned(record, servers))
    for group in (DEFAULT_GROUP, *sorted(spec.groups)):
        part = spec.part(group)
        roles = {n: member.role for n, member in record.own.items() if member.group == group}
        members = {name: servers[name] for name in roles}
        fitting = [server for server in free if fits(part, server)]
        choices += _Comparison(part, record.uid, group, members, roles, fitting).choices()
        sizings.append(_sizing(group, part, members, roles))
    in_order = sorted(
        choices, key=lambda choice: (choice.role is Role.WORKER, choice.group, choice.server.name)
    )
    return Explanation(tuple(sizings), tuple(in_order), refused, free)


def _sizing(
    group: str, spec: PoolSpec, members: Mapping[ServerName, Server], roles: Roles
) -> Sizing:
    planes = [server for name, server in members.items() if roles[name] is Role.CONTROL_PLANE]
    workers = [server for name, server in members.items() if roles[name] is Role.WORKER]
    workers += working(spec, planes)
    cores, memory_gib = outlasting(spec, workers)
    return Sizing(
        group,
        spec,
        sum(server.cores for server in workers),
        sum(server.memory_gib for server in workers),
        cores - spec.cores,
        memory_gib - spec.memory_gib,
    )


def _server(name: ServerName, record: Record, fleet: Fleet) -> Server:
    """The server by the fleet, or by the record where the fleet no longer has it."""
    if name in fleet.servers:
        return fleet.servers[name]
    member = record.members[name]
    return Server(name, member.address, member.cores, member.memory_gib, member.zone, "")


def _pinned(record: Record, servers: Mapping[ServerName, Server]) -> Iterator[Choice]:
    for name in record.pinned:
        if name in servers:
            member = record.members[name]
            yield Choice(servers[name], member.role, member.group, "an rpool_node names it")


def _why_refused(
    spec: PoolSpec, server: Server, unusable: Mapping[ServerName, str | None]
) -> str | None:
    for marked, why in (
        (server.lost, "marked lost"),
        (server.retire, "marked retire"),
        (server.reserved, "reserved: only an rpool_node takes it"),
    ):
        if marked:
            return why
    if server.trust != spec.trust:
        return f"in {named(server.trust)}, and the cluster is in {named(spec.trust)}"
    if not any(fits(spec.part(group), server) for group in (DEFAULT_GROUP, *spec.groups)):
        return _why_not_selected(spec, server)
    return unusable.get(server.name)


def _why_not_selected(spec: PoolSpec, server: Server) -> str:
    if spec.groups or spec.control_plane.selector is not None:
        return "no selector of the cluster takes it"
    if spec.selector.zones and server.zone not in spec.selector.zones:
        return f"in zone {server.zone}; the selector takes {', '.join(sorted(spec.selector.zones))}"
    lacks = [
        f"{key} = {value}"
        for key, value in sorted(spec.selector.labels.items())
        if server.labels.get(key) != value
    ]
    return f"without the label {', '.join(lacks)} that the selector asks for"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A cluster's own members, each compared with what would take its place."""

    spec: PoolSpec
    uid: PoolUid
    group: str
    members: Mapping[ServerName, Server]
    roles: Roles
    free: Sequence[Server]

    def choices(self) -> Iterator[Choice]:
        """The choice of each member; members that are alike are compared once."""
        same: dict[object, tuple[Server, ...] | None] = {}
        for name, server in self.members.items():
            labels = extra_labels(self._selector(name), server)
            kind = (self.roles[name], server.zone, server.cores, server.memory_gib, labels)
            if kind not in same:
                same[kind] = self._instead(name)
            yield self._choice(server, same[kind])

    def _instead(self, name: ServerName) -> tuple[Server, ...] | None:
        """The servers that would take a member's place; None where no free ones could."""
        kept = {n: role for n, role in self.roles.items() if n != name}
        others = [server for n, server in self.members.items() if n != name]
        placement = place(self.spec, [*others, *self.free], kept, self.uid)
        if placement.shortfall is not None:
            return None
        return tuple(server for server in self.free if server.name in placement.roles)

    def _choice(self, server: Server, instead: tuple[Server, ...] | None) -> Choice:
        role, group = self.roles[server.name], self.group
        all_ = [*self.members.values(), *self.free]
        cost = waste([server], all_)
        if instead is None:
            return Choice(server, role, group, "no free server could take its place", waste=cost)
        if not instead:
            why = "the request fits without it; it stays until the request is lowered"
            return Choice(server, role, group, why, waste=cost)
        choice = Choice(
            server, role, group, "", tuple(s.name for s in instead), cost, waste(instead, all_)
        )
        return replace(choice, why=self._why(choice, instead))

    def _why(self, choice: Choice, instead: tuple[Server, ...]) -> str:
        """What decides between a member and its runner-up, by what counts first."""
        server, other = choice.server, instead[0]
        if choice.role is Role.CONTROL_PLANE:
            size, other_size = server.cores * server.memory_gib, other.cores * other.memory_gib
            zones = self._zones(server)
            if zones[server.zone] < zones[other.zone]:
                return f"no other control plane is in {server.zone}"
            if size != other_size:
                return _better(size < other_size, "smaller", other)
        elif len(instead) > 1 or choice.waste != choice.waste_instead:
            assert choice.waste_instead is not None  # noqa: S101 there are runners-up
            return _better(choice.waste < choice.waste_instead, "less waste", other)
        return self._why_of_alike(server, other)

    def _why_of_alike(self, server: Server, other: Server) -> str:
        selector = self._selector(server.name)
        labels, other_labels = (extra_labels(selector, s) for s in (server, other))
        if labels != other_labels:
            return _better(labels < other_labels, "fewer labels that were not asked for", other)
        zones = self._zones(server)
        if zones[server.zone] != zones[other.zone]:
            return _better(zones[server.zone] < zones[other.zone], "more even zones", other)
        return "alike: a hash of cluster and server decides"

    def _selector(self, name: ServerName) -> Selector:
        return self.spec.selector_of(control_plane=self.roles[name] is Role.CONTROL_PLANE)

    def _zones(self, server: Server) -> Counter[str]:
        """How many other members of its role are in each zone."""
        role = self.roles[server.name]
        return Counter(
            member.zone
            for name, member in self.members.items()
            if self.roles[name] is role and name != server.name
        )


def _better(is_better: bool, why: str, other: Server) -> str:
    if is_better:
        return why
    return (
        f"{other.name} is free and would now be a better choice ({why}), but a member never moves "
        "for that"
    )
