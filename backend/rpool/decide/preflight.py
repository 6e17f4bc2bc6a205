"""What must hold among servers before any of them is claimed; all findings at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterator, Mapping

from rpool.model.pool import PoolSpec
from rpool.model.seen import Probed
from rpool.model.server import Server, ServerName

CLOCK_SPREAD_SECONDS = 2.0  # etcd warns at 1 s, and certificates are valid from now on
SIZE_TOLERANCE = 0.9  # MemTotal is less than the hardware


def why_not_spare(probed: Probed) -> str | None:
    """Why a server cannot be taken, in words, or None when it is a spare."""
    if probed.claim is not None:
        claim = probed.claim
        return (
            f"claimed by pool {claim.pool} (uid {claim.uid}, owner {claim.owner}, "
            f"{claim.phase.value}) since {claim.since}"
        )
    if probed.traces:
        return (
            f"not claimed, but dirty: {', '.join(probed.traces[:5])}. "
            "Something else runs or ran Kubernetes there; clean it before rpool may take it"
        )
    return None


def why_too_small(server: Server, probed: Probed) -> str | None:
    """Why a server is not what the fleet declares, or None. Real memory is at least 90 %."""
    if probed.cores < server.cores:
        return f"declares {server.cores} cores, has {probed.cores}"
    if probed.memory_mib < SIZE_TOLERANCE * server.memory_gib * 1024:
        return f"declares {server.memory_gib} GiB of memory, has {probed.memory_mib} MiB"
    return None


def findings(
    spec: PoolSpec,
    seen: Mapping[ServerName, Probed],
    clock_offsets: Mapping[ServerName, float],
    members: Container[ServerName] = (),
) -> list[str]:
    """Sentences about what is wrong among the servers that were picked together; `members` of the
    pool, which have its routes and perhaps its address, are only compared with the others.
    """
    fresh = {name: probed for name, probed in seen.items() if name not in members}
    return [*_clocks(clock_offsets), *_twins(seen), *_routes(spec, fresh), *_vip(spec, fresh)]


def _clocks(offsets: Mapping[ServerName, float]) -> Iterator[str]:
    if not offsets:
        return
    slowest = min(offsets, key=lambda name: offsets[name])
    fastest = max(offsets, key=lambda name: offsets[name])
    spread = offsets[fastest] - offsets[slowest]
    if spread > CLOCK_SPREAD_SECONDS:
        yield (
            f"the clocks of {slowest} and {fastest} are {spread:.1f} s apart; "
            "at most 2 s are allowed. Run a time service on the servers"
        )


def _twins(seen: Mapping[ServerName, Probed]) -> Iterator[str]:
    for attribute in ("machine_id", "product_uuid", "hostname"):
        first: dict[str, ServerName] = {}
        for name, probed in sorted(seen.items()):
            value = getattr(probed, attribute)
            if value and first.setdefault(value, name) != name:
                yield (
                    f"{first[value]} and {name} have the same {attribute} ({value}); "
                    "Kubernetes needs it to be unique"
                )


def _routes(spec: PoolSpec, seen: Mapping[ServerName, Probed]) -> Iterator[str]:
    for attribute in ("pod_cidr", "service_cidr"):
        network = ipaddress.IPv4Network(getattr(spec.networking, attribute))
        for name, probed in sorted(seen.items()):
            for route in probed.routes:
                if network.overlaps(ipaddress.IPv4Network(route, strict=False)):
                    yield f"{attribute} {network} overlaps the route {route} of server {name}"


def _vip(spec: PoolSpec, seen: Mapping[ServerName, Probed]) -> Iterator[str]:
    vip = spec.control_plane.endpoint.vip
    for name, probed in sorted(seen.items()):
        if vip in probed.addresses:
            yield f"vip {vip} is already an address of server {name}"
