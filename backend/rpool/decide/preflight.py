"""What must hold among servers before any of them is claimed; all findings at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterator, Mapping, Sequence
from statistics import median

from rpool.advice import Do
from rpool.model.observed import Sighting
from rpool.model.pool import PoolSpec
from rpool.model.seen import ClockSeen, Probed
from rpool.model.server import Server, ServerName
from rpool.model.trust import named

CLOCK_SPREAD_SECONDS = 2.0  # etcd warns at 1 s, and certificates are valid from now on
UNIQUE = ("machine_id", "product_uuid")  # Nodes have the fleet's names, not the hostnames
SIZE_TOLERANCE = 0.9  # MemTotal is less than the hardware


def why_not_spare(probed: Probed) -> str | None:
    """Why a server cannot be taken, in words, or None when it is a spare."""
    if probed.claim is not None:
        claim = probed.claim
        return (
            f"claimed by cluster {claim.pool} (uid {claim.uid}, owner {claim.owner}, "
            f"{claim.phase.value}) since {claim.since}"
        )
    if probed.traces:
        return (
            f"not clean: {', '.join(probed.traces[:5])}. "
            f"Something else runs or ran Kubernetes there. {Do.CLEAN.text()}"
        )
    if (failure := probed.set_aside) is not None:
        return f"quarantined: {failure}. {Do.LIFT.text(server=probed.server)}"
    if probed.unwritable:
        return f"unusable: its disk is {probed.unwritable}"
    return None


def why_not_trusted(server: Server, probed: Probed) -> str | None:
    """Why a server must not serve in its domain of trust by the fleet, or None: its mark is of
    another domain. A server without a mark is as it was installed.
    """
    if probed.served is None or probed.served == server.trust:
        return None
    served, wanted = named(probed.served), named(server.trust)
    return f"it served in {served}: reinstall it before it serves in {wanted}"


def why_too_small(server: Server, probed: Probed) -> str | None:
    """Why a server is smaller than the fleet declares, or None. 90 % of the memory is enough."""
    if probed.cores < server.cores:
        return f"declares {server.cores} cores, has {probed.cores}"
    if probed.memory_mib < SIZE_TOLERANCE * server.memory_gib * 1024:
        return f"declares {server.memory_gib} GiB of memory, has {probed.memory_mib} MiB"
    return None


def why_not_usable(server: Server, probed: Probed) -> str | None:
    """Why a server cannot be taken or is not what the fleet declares; None for a spare."""
    return why_not_spare(probed) or why_not_trusted(server, probed) or why_too_small(server, probed)


def findings(
    spec: PoolSpec, seen: Mapping[ServerName, Sighting], members: Container[ServerName] = ()
) -> list[str]:
    """Sentences about what is wrong between servers that were picked together. `members` have the
    pool's routes and perhaps its address, so they are only compared with the others.
    """
    probes = {name: sighting.probed for name, sighting in sorted(seen.items())}
    fresh = {name: probed for name, probed in probes.items() if name not in members}
    clocks = {name: sighting.clock for name, sighting in seen.items()}
    return [*_clocks(clocks), *_twins(probes), *_routes(spec, fresh), *_vip(spec, fresh)]


def odd_ones(
    seen: Mapping[ServerName, Sighting], members: Container[ServerName] = ()
) -> dict[ServerName, str]:
    """The servers to leave out so that the others go together, and why. What a server says of
    itself may be wrong, and must not block all others: another server can take its place. `members`
    cannot be left out.
    """
    order = sorted(seen, key=lambda name: (name not in members, name))
    odd: dict[ServerName, str] = {}
    for attribute, one, other, value in _same({name: seen[name].probed for name in order}):
        if other not in members:
            odd.setdefault(other, f"has the same {attribute} as {one} ({value})")
    clocks = {name: seen[name].clock for name in order if name not in odd}
    while (pair := _far_apart(clocks)) is not None:
        replaceable = [name for name in pair if name not in members]
        if not replaceable:
            break
        usual = _usual([clocks[n] for n in clocks if n in members] or list(clocks.values()))
        name = max(replaceable, key=lambda n: clocks[n].seconds_from(usual))
        one = next(each for each in pair if each != name)
        seconds = clocks[name].seconds_from(clocks[one])
        odd[name] = f"its clock is {seconds:.1f} s from that of {one}, and at most 2 s are allowed"
        del clocks[name]
    return odd


def _usual(clocks: Sequence[ClockSeen]) -> ClockSeen:
    """The median clock, our own (offset 0) included."""
    return ClockSeen(median([0.0, *(clock.offset_seconds for clock in clocks)]))


def _far_apart(clocks: Mapping[ServerName, ClockSeen]) -> tuple[ServerName, ServerName] | None:
    """The two servers whose clocks differ most, if that is too much."""
    if len(clocks) < 2:
        return None
    slow = min(clocks, key=lambda n: clocks[n].offset_seconds + clocks[n].error_seconds)
    fast = max(clocks, key=lambda n: clocks[n].offset_seconds - clocks[n].error_seconds)
    apart = clocks[slow].seconds_from(clocks[fast])
    return (slow, fast) if slow != fast and apart > CLOCK_SPREAD_SECONDS else None


def _clocks(clocks: Mapping[ServerName, ClockSeen]) -> Iterator[str]:
    if (pair := _far_apart(clocks)) is not None:
        slow, fast = pair
        advice = Do.START_TIME_SERVICE.text().removesuffix(".")
        yield (
            f"the clocks of {slow} and {fast} are {clocks[slow].seconds_from(clocks[fast]):.1f} s "
            f"apart; at most 2 s are allowed. {advice}"
        )


def _same(seen: Mapping[ServerName, Probed]) -> Iterator[tuple[str, ServerName, ServerName, str]]:
    """Attributes that must be unique, with two servers that share one (the first that has it comes
    first), and the value.
    """
    for attribute in UNIQUE:
        first: dict[str, ServerName] = {}
        for name, probed in seen.items():
            value = getattr(probed, attribute)
            if value and first.setdefault(value, name) != name:
                yield attribute, first[value], name, value


def _twins(seen: Mapping[ServerName, Probed]) -> Iterator[str]:
    for attribute, one, other, value in _same(seen):
        yield (
            f"{one} and {other} have the same {attribute} ({value}); "
            "Kubernetes needs it to be unique"
        )


def _routes(spec: PoolSpec, seen: Mapping[ServerName, Probed]) -> Iterator[str]:
    for attribute, cidr in spec.networking.cidrs.items():
        network = ipaddress.IPv4Network(cidr)
        for name, probed in seen.items():
            for route in probed.routes:
                if network.overlaps(ipaddress.IPv4Network(route, strict=False)):
                    yield f"{attribute} {network} overlaps the route {route} of server {name}"


def _vip(spec: PoolSpec, seen: Mapping[ServerName, Probed]) -> Iterator[str]:
    vip = spec.control_plane.endpoint.vip
    for name, probed in seen.items():
        if vip in probed.addresses:
            yield f"vip {vip} is already an address of server {name}"


def vip_of_no_use(spec: PoolSpec, seen: Mapping[ServerName, Sighting]) -> list[str]:
    """Why a virtual IP cannot work in the servers' networks: it is in none of them (it is announced
    by ARP, which no router forwards), or no machine can have it.
    """
    vip = spec.control_plane.endpoint.vip
    networks = {
        ipaddress.IPv4Network(r) for sighting in seen.values() for r in sighting.probed.routes
    }
    if vip is None or not networks:
        return []
    address = ipaddress.IPv4Address(vip)
    containing = [network for network in networks if address in network]
    if containing:
        return _no_host(address, max(containing, key=lambda network: network.prefixlen))
    listed = ", ".join(map(str, sorted(networks)))
    reach = (
        "it is announced by ARP, which reaches no further. Choose a free address in one of these"
    )
    return [f"vip {vip} is in no network of the servers ({listed}), and {reach}"]


def _no_host(address: ipaddress.IPv4Address, network: ipaddress.IPv4Network) -> list[str]:
    """Why no machine can have an address in a network. In a network of two any machine can (RFC
    3021).
    """
    if network.prefixlen > 30:
        return []
    if address == network.broadcast_address:
        what = f"the broadcast address of {network}"
    elif address == network.network_address:
        what = f"the address of the network {network} itself"
    else:
        return []
    return [f"vip {address} is {what}, which no machine can have. Choose a free address in it"]
