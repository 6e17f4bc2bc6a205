"""The servers that a lab of a given size has: names, racks, sizes, addresses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.command import LabError

RACKS = 3
UNITS = tuple(range(4, 40, 4))
# (cores, memory in GiB) by height unit, one for each rack; the pattern repeats upwards
SIZES = (
    ((4, 8), (4, 8), (4, 8)),
    ((8, 16), (8, 16), (16, 32)),
)
DISKS = ("ssd", "nvme")


@dataclass(frozen=True)
class Server:
    """One server as its owner would declare it."""

    name: str
    address: str
    cores: int
    memory_gib: int
    zone: str
    labels: Mapping[str, str]
    mac: str


def servers(count: int, network: str) -> list[Server]:
    """The first `count` servers of the lab whose addresses start with `network` (10.88.0)."""
    slots = [(unit, rack) for unit in UNITS for rack in range(1, RACKS + 1)]
    if not 1 <= count <= len(slots):
        raise LabError(f"a lab has 1 to {len(slots)} servers, not {count}")
    return [_server(unit, rack, network) for unit, rack in slots[:count]]


def _server(unit: int, rack: int, network: str) -> Server:
    row = UNITS.index(unit)
    cores, memory_gib = SIZES[row % len(SIZES)][rack - 1]
    host = 40 * rack + unit
    third = int(network.rsplit(".", 1)[1])
    return Server(
        name=f"r{rack}u{unit:02d}",
        address=f"{network}.{host}",
        cores=cores,
        memory_gib=memory_gib,
        zone=f"rack{rack}",
        labels={"disk": DISKS[row % len(DISKS)]},
        mac=f"02:88:00:{third:02x}:00:{host:02x}",
    )


def as_yaml(fleet: list[Server], host_keys: Mapping[str, str]) -> str:
    """The fleet as a provider block takes it, one server a line."""
    return "".join(_line(server, host_keys[server.name]) for server in fleet)


def _line(server: Server, host_key: str) -> str:
    labels = ", ".join(f"{key}: {value}" for key, value in server.labels.items())
    return (
        f"{server.name}: {{address: {server.address}, cores: {server.cores}, "
        f"memory: {server.memory_gib}, zone: {server.zone}, "
        f'host_key: "{host_key}", labels: {{{labels}}}}}\n'
    )
