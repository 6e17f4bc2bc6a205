"""What is wrong with a request, as far as that is known without asking any server.

Two questions: is the request consistent, and can this fleet serve it? All problems come back at
once, each with the path of its attribute.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from rpool.advice import Do
from rpool.decide.placement import (
    CONTROL_PLANE_CORES,
    CONTROL_PLANE_MEMORY_GIB,
    Placement,
    Shortfall,
    candidates,
    fits,
    place,
    selects,
)
from rpool.errors import DoesNotFit, Path, Problem, SpecError, known
from rpool.model.pool import DEFAULT_GROUP, PoolSpec, Selector
from rpool.model.ranges import address_range, overlaps, ranges
from rpool.model.server import Fleet, Role, Roles, Server, ServerName
from rpool.model.trust import named


def _selector_problems(spec: PoolSpec, fleet: Fleet) -> Iterator[Problem]:
    yield from _unmatched(spec.selector, ("selector",), fleet)
    if (selector := spec.control_plane.selector) is not None:
        yield from _unmatched(selector, ("control_plane", "selector"), fleet)
    for name, group in sorted(spec.groups.items()):
        yield from _unmatched(group.selector, ("workers", name, "selector"), fleet)


def _unmatched(selector: Selector, at: Path, fleet: Fleet) -> Iterator[Problem]:
    for zone in sorted(selector.zones - fleet.zones):
        yield Problem(
            (*at, "zones"),
            f"no server of the fleet is in zone {zone}",
            f"The fleet's zones are: {', '.join(sorted(fleet.zones))}.",
        )
    for key, value in sorted(selector.labels.items()):
        if not any(server.labels.get(key) == value for server in fleet.servers.values()):
            values = sorted({s.labels[key] for s in fleet.servers.values() if key in s.labels})
            yield Problem(
                (*at, "labels", key),
                f"no server of the fleet has the label {key} = {value}",
                f"Values of {key} in the fleet: {', '.join(values) or 'none'}.",
            )


def _trust_problems(spec: PoolSpec, fleet: Fleet) -> Iterator[Problem]:
    domains = sorted({server.trust for server in fleet.servers.values()})
    if spec.trust not in domains:
        yield Problem(
            ("trust",),
            f"no server of the fleet is in {named(spec.trust)}",
            f"The fleet has servers in {', '.join(map(named, domains))}: trust says so in each "
            "entry.",
        )


def _address_problems(spec: PoolSpec, fleet: Fleet) -> Iterator[Problem]:
    """Ranges of the request that hold addresses of servers: one problem for each such range."""
    addresses = list(_addresses(fleet))
    for taken in chain(*ranges(spec)):
        first, last = address_range(taken.text)
        inside = [f"{address} of {name}" for name, address in addresses if first <= address <= last]
        if inside:
            more = f" and {len(inside) - 1} more" if len(inside) > 1 else ""
            yield Problem(
                taken.path,
                f"{taken} takes an address that a server has: {inside[0]}{more}",
                "Choose addresses that no server of the fleet has.",
            )


def _addresses(fleet: Fleet) -> Iterator[tuple[ServerName, ipaddress.IPv4Address]]:
    for name, server in sorted(fleet.servers.items()):
        yield name, ipaddress.IPv4Address(server.address)


NODE_PREFIX = 24
"""The prefix length of a node's part of the pod CIDR: Kubernetes' default."""


def check_room(spec: PoolSpec, nodes: int) -> None:
    """Raises SpecError when pod_cidr has no addresses for so many nodes."""
    room = 2 ** (NODE_PREFIX - ipaddress.IPv4Network(spec.networking.pod_cidr).prefixlen)
    if nodes > room:
        raise SpecError(
            [
                Problem(
                    ("networking", "pod_cidr"),
                    f"pod_cidr {spec.networking.pod_cidr} is too small: it has room for {room} "
                    f"nodes, and cluster {spec.name} is to have {nodes}",
                    f"Each node gets a /{NODE_PREFIX}. Another pod_cidr replaces the cluster.",
                )
            ]
        )


def placed(
    spec: PoolSpec,
    fleet: Fleet,
    excluded: Mapping[ServerName, str],
    kept: Roles,
    of_group: Mapping[ServerName, str] = MappingProxyType({}),
) -> Placement:
    """A placement on the declared fleet without `excluded` (server -> why). Servers in `kept` stay,
    in their groups by `of_group`. Raises DoesNotFit.
    """
    roles: dict[ServerName, Role] = {}
    groups: dict[ServerName, str] = {}
    for group in in_turn(spec, fleet):
        part = spec.part(group)
        others = {n: "in another group" for n in kept if of_group.get(n, DEFAULT_GROUP) != group}
        others |= {name: f"in group {groups.get(name, DEFAULT_GROUP)}" for name in roles}
        out = {**excluded, **others}
        stay = {n: role for n, role in kept.items() if n not in others}
        placement = place(part, candidates(fleet, part, out), stay, spec.name)
        if placement.shortfall is not None:
            raise does_not_fit(part, fleet, placement.shortfall, out, {}, group)
        roles |= placement.roles
        groups |= dict.fromkeys(placement.roles, group) if group != DEFAULT_GROUP else {}
    check_room(spec, len(roles))
    planes = {name: role for name, role in roles.items() if role is Role.CONTROL_PLANE}
    return Placement({**planes, **roles}, groups=groups)


def in_turn(spec: PoolSpec, fleet: Fleet) -> list[str]:
    """The groups in the order in which they choose servers: the one with the fewest candidates
    first, the default group last.
    """

    def choice(group: str) -> tuple[int, str]:
        return len(candidates(fleet, spec.part(group))), group

    return [*sorted(spec.groups, key=choice), DEFAULT_GROUP]


def does_not_fit(
    spec: PoolSpec,
    fleet: Fleet,
    shortfall: Shortfall,
    excluded: Mapping[ServerName, str],
    members: Roles,
    group: str = DEFAULT_GROUP,
) -> DoesNotFit:
    """The error that says what is free, what is missing, and what is left out and why. `members`
    are the servers that the cluster has and keeps.
    """
    free = candidates(fleet, spec, excluded.keys() | members.keys())
    size = f"{spec.cores} cores, {spec.memory_gib} GiB of workers{outlasting_what(spec)}"
    needs = (
        f"cluster {spec.name} does not fit: it needs {spec.control_plane.servers} control planes"
    )
    summary = f"{needs} and {size}"
    at: Path = ("cores",)
    if group != DEFAULT_GROUP:
        summary = f"group {group} of cluster {spec.name} does not fit: it needs {size}"
        at = ("workers", group, "cores")
    lines = []
    if members:
        planes = [fleet.servers[n] for n, role in members.items() if role is Role.CONTROL_PLANE]
        workers = [fleet.servers[n] for n, role in members.items() if role is Role.WORKER]
        lines.append(f"It keeps: control plane {_listed(planes)}; workers {_listed(workers)}.")
    selectors = [spec.selector_of(control_plane=selector) for selector in (False, True)]
    chooses = any(selector != Selector() for selector in selectors)
    for_it = " for its selector" if chooses else ""
    lines += [f"Free{for_it}: {_listed(free)}.", _missing(shortfall)]
    selected = [
        s for s in fleet.servers.values() if any(selects(selector, s) for selector in selectors)
    ]
    matching = [s for s in selected if fits(spec, s)]
    for word, title in (("reserved", "Reserved"), ("retire", "Retiring"), ("lost", "Lost")):
        names = sorted(s.name for s in matching if getattr(s, word))
        if names:
            lines.append(f"{title}: {', '.join(names)}.")
    lines += _in_other_domains(spec, selected)
    if excluded:
        lines.append("Not usable:")
        lines += [f"  {name}: {why}" for name, why in sorted(excluded.items())]
    lines.append(" ".join([Do.MAKE_ROOM.text(), *([Do.WIDEN.text()] if chooses else [])]))
    return DoesNotFit([Problem(at, summary, "\n".join(lines))])


MOST_STRANGERS = 8


def _in_other_domains(spec: PoolSpec, servers: Sequence[Server]) -> Iterator[str]:
    """A line for each other domain of trust, with some of its servers."""
    for domain in sorted({s.trust for s in servers} - {spec.trust}):
        names = sorted(s.name for s in servers if s.trust == domain)
        more = len(names) - MOST_STRANGERS
        listed = names if more <= 0 else [*names[:MOST_STRANGERS], f"{more} more"]
        yield f"In {named(domain)}, not in {named(spec.trust)}: {', '.join(listed)}."


def outlasting_what(spec: PoolSpec) -> str:
    """The end of a sentence about what workers are to have."""
    if spec.tolerate.servers:
        return f", also after the loss of any {spec.tolerate.servers} of them"
    if spec.tolerate.zones:
        return f", also after the loss of any {spec.tolerate.zones} of their zones"
    return ""


def _listed(free: Sequence[Server]) -> str:
    servers = [f"{s.name} {s.cores}/{s.memory_gib}" for s in free]
    return ", ".join(servers) + " (cores/GiB)" if servers else "no server"


def _missing(shortfall: Shortfall) -> str:
    parts = []
    if shortfall.control_planes:
        count = shortfall.control_planes
        parts.append(
            f"{count} server{'s' if count > 1 else ''} for the control plane (each with "
            f"{CONTROL_PLANE_CORES} cores and {CONTROL_PLANE_MEMORY_GIB} GiB or more)"
        )
    if shortfall.cores:
        parts.append(f"{shortfall.cores} cores")
    if shortfall.memory_gib:
        parts.append(f"{shortfall.memory_gib} GiB")
    for_workers = " for workers" if shortfall.cores or shortfall.memory_gib else ""
    return f"Missing: {', '.join(parts)}{for_workers}."


def check(spec: PoolSpec, fleet: Fleet, unknown: Collection[Path] = ()) -> None:
    """Raises SpecError with all contradictions within a request, and between it and the fleet. Its
    single values are well-formed. Rules about `unknown` values wait.
    """
    of_fleet = [
        *_selector_problems(spec, fleet),
        *_trust_problems(spec, fleet),
        *_address_problems(spec, fleet),
    ]
    if problems := known([*overlaps(spec), *of_fleet], unknown):
        raise SpecError(problems)
