"""The entry in the fleet that a scan makes of a server. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rpool.decide.preflight import SIZE_TOLERANCE
from rpool.model.quantity import gib

UNKNOWN_ZONE = "zone1"
_ZONE_GROUP = re.compile(r"(rack|zone|row|room|cage|hall|az)([-_]|(?=[0-9]))[a-z0-9][-_a-z0-9]*")
_ZONE_IN_NAME = (
    (re.compile(r"r([0-9]+)u[0-9]+.*"), "rack{}"),
    (re.compile(r"((?:rack|zone|row|room|az)-?[0-9]+)[^0-9].*"), "{}"),
)
_VARIABLE = "rpool_"
_SETTINGS = ("zone", "cores", "memory", "host_key", "labels", "reserved", "retire", "lost", "trust")
_LARGEST_STEP = 16
"""MemTotal lacks what firmware and kernel keep of the hardware: up to a sixteenth."""


@dataclass(frozen=True, slots=True)
class Host:
    """A server as an inventory names it, or a user by its address. `name` is "" where the server
    itself is to say it, `user` is "" where the inventory has none.
    """

    name: str
    address: str
    port: int = 22
    user: str = ""
    groups: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def declared_key(self) -> str:
        """The host key that the inventory has for it, or ""."""
        return str(self.variables.get(f"{_VARIABLE}host_key", ""))


def nominal_gib(memory_mib: int) -> int:
    """The hardware's memory in GiB, from MemTotal: the next size that memory modules come in, or
    the one below it if preparation would refuse that as more than the server has.
    """
    real = memory_mib / 1024
    step = 1
    while step * 2 <= real / _LARGEST_STEP:
        step *= 2
    size = -int(-real // step) * step
    return max(1, size if real >= SIZE_TOLERANCE * size else size - step)


def by_number(place: str) -> tuple[tuple[int, ...], int]:
    """A sort key for `10.0.1.4` and `10.0.1.4:2222`, by number: 10.0.1.9 before 10.0.1.44."""
    address, _, port = place.partition(":")
    return tuple(map(int, address.split("."))), int(port or 22)


def server_name(text: str) -> str:
    """A server's name from the inventory's or its own: the first label, in lower case."""
    return text.split(".")[0].lower().replace("_", "-")


def zone_of(name: str, groups: Sequence[str]) -> str | None:
    """A server's zone (what fails together) by its inventory groups or its name; None where neither
    gives one.
    """
    for group in groups:
        if _ZONE_GROUP.fullmatch(group.lower()):
            return group.lower().replace("_", "-")
    for pattern, zone in _ZONE_IN_NAME:
        if match := pattern.fullmatch(name):
            return zone.format(match[1])
    return None


def settings(host: Host) -> dict[str, Any]:
    """What an inventory has of an entry: `rpool_cores`, `rpool_memory` (a number of GiB or 192Gi),
    `rpool_zone` and so on, and a zone by its groups. Raises ValueError for any other `rpool_`
    variable.
    """
    entry: dict[str, Any] = {"address": host.address}
    if host.port != 22:
        entry["port"] = host.port
    for key, value in host.variables.items():
        if not key.startswith(_VARIABLE):
            continue
        setting = key.removeprefix(_VARIABLE)
        if setting not in _SETTINGS:
            known = ", ".join(f"{_VARIABLE}{name}" for name in _SETTINGS)
            raise ValueError(f"{host.name} has {key}, which is no setting: there are {known}")
        is_text = setting == "memory" and isinstance(value, str)
        entry[setting] = gib(value) if is_text else value
    zone = entry.get("zone") or zone_of(server_name(host.name), host.groups)
    return entry | ({"zone": zone} if zone else {})


def fleet_of(hosts: Iterable[Host]) -> dict[str, dict[str, Any]]:
    """The fleet that an inventory describes. Raises ValueError where two hosts have one name."""
    entries: dict[str, dict[str, Any]] = {}
    for host in hosts:
        name = server_name(host.name)
        if name in entries:
            raise ValueError(f"two hosts of the inventory are called {name}")
        entries[name] = settings(host)
    return entries


def differences(name: str, declared: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each difference between a server as `found` and its entry as `declared`."""
    for key in ("address", "port", "cores", "memory", "host_key"):
        is_default = key == "port" and key not in declared
        if key in found and found[key] != declared.get(key, 22 if is_default else None):
            in_fleet = declared.get(key, "none")
            yield f"{name}: the fleet has {key} {in_fleet}, the server {found[key]}"
