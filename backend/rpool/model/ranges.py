"""The addresses that a cluster takes, and conflicts between them."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations, product

from rpool.errors import Path, Problem, touches
from rpool.model.pool import PoolSpec


def address_range(text: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """First and last address of `a-b` or of a CIDR. Raises ValueError with what is wrong."""
    if "-" in text:
        first, last = (ipaddress.IPv4Address(part.strip()) for part in text.split("-", 1))
        if last < first:
            raise ValueError(f"{text} ends before it begins")
        return first, last
    network = ipaddress.IPv4Network(text)
    return network.network_address, network.broadcast_address


VIP = "vip"


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses that a request takes: a CIDR, a range of MetalLB's, or the virtual IP."""

    path: Path
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.what} {self.text}"

    def overlaps(self, other: Range) -> bool:
        """Whether any address is in both ranges."""
        (first, last), (others_first, others_last) = map(address_range, (self.text, other.text))
        return first <= others_last and others_first <= last


def ranges(spec: PoolSpec) -> tuple[list[Range], list[Range], list[Range]]:
    """The CIDRs of pods and of services; MetalLB's ranges; the virtual IP, if there is one."""
    vip = spec.control_plane.endpoint.vip
    return (
        [Range(("networking", name), name, cidr) for name, cidr in spec.networking.cidrs.items()],
        [
            Range(("metallb", "pools", name, index), "MetalLB range", text)
            for name, ranges in spec.metallb_pools.items()
            for index, text in enumerate(ranges)
        ],
        [Range(("control_plane", "endpoint", "vip"), VIP, vip)] if vip is not None else [],
    )


def overlaps(spec: PoolSpec) -> Iterator[Problem]:
    cidrs, metallb, vips = ranges(spec)
    pods, services = cidrs
    advice = "Pods and services need address ranges of their own. Change one of the two."
    pairs = [(services, pods, f"overlaps {pods}", advice)]
    advice = "MetalLB hands out addresses of the servers' own network."
    pairs += [(pool, cidr, f"overlaps {cidr}", advice) for pool in metallb for cidr in cidrs]
    advice = "An address belongs to one range only."
    for one, other in combinations(metallb, 2):
        pairs.append((one, other, f"overlaps {other.text} of pool {other.path[2]}", advice))
    advice = "MetalLB would give the API's address to a service. Take it out of the range."
    for vip, pool in product(vips, metallb):
        how = f"lies inside range {pool.text} of MetalLB pool {pool.path[2]}"
        pairs.append((vip, pool, how, advice))
    advice = "The virtual IP is an address of the servers' own network."
    pairs += [(vip, cidr, f"lies inside {cidr}", advice) for vip in vips for cidr in cidrs]
    for one, other, how, advice in pairs:
        if one.overlaps(other):
            yield Problem(one.path, f"{one} {how}", advice, also=(other.path,))


def shared(
    spec: PoolSpec,
    other: PoolSpec,
    unknown: Collection[Path] = (),
    others_unknown: Collection[Path] = (),
) -> Iterator[Problem]:
    """Addresses that another cluster on the same network has, too, as far as both are known."""
    own, others = (
        _on_the_network(spec, unknown),
        _on_the_network(other, others_unknown),
    )
    for mine, theirs in product(own, others):
        if mine.overlaps(theirs):
            yield Problem(
                mine.path,
                f"{mine} {_against(mine, theirs)} of cluster {other.name}",
                "Both clusters would answer for it. Change one of the two.",
            )


def _on_the_network(spec: PoolSpec, unknown: Collection[Path]) -> list[Range]:
    _, metallb, vips = ranges(spec)
    return [taken for taken in (*vips, *metallb) if not touches(taken.path, unknown)]


def _against(own: Range, other: Range) -> str:
    if own.what == other.what == VIP:
        return "is also the virtual IP"
    if own.what == VIP:
        return f"lies inside {other}"
    return f"takes the {other}" if other.what == VIP else f"overlaps {other}"
