"""A generated fleet: what `simulate { servers = 12 }` stands for.

It depends on the number alone, and a longer fleet begins with a shorter one, so that a higher
number adds servers and changes none.
"""

from __future__ import annotations

from rpool.model.server import Fleet, Server

MOST_SERVERS = 5000
_RACKS = 3
_SIZES = ((4, 16), (16, 64), (16, 64), (32, 128))
"""Cores and GiB from the bottom of a rack up: a small one first, for control planes."""

_LAST_ADDRESS = 90
"""Addresses above, such as 10.0.1.200, stay free for virtual IPs and MetalLB."""


def generated(servers: int) -> Fleet:
    """`servers` servers in three racks: r1u01, r2u01, r3u01, r1u02, ..."""
    all_servers = (_server(number) for number in range(servers))
    return Fleet({server.name: server for server in all_servers})


def _server(number: int) -> Server:
    unit, rack = number // _RACKS, number % _RACKS + 1
    cores, memory_gib = _SIZES[unit % len(_SIZES)]
    return Server(
        name=f"r{rack}u{unit + 1:02}",
        address=f"10.{unit // _LAST_ADDRESS}.{rack}.{unit % _LAST_ADDRESS + 1}",
        cores=cores,
        memory_gib=memory_gib,
        zone=f"rack{rack}",
        host_key="",
        labels={"disk": "nvme"} if (cores, memory_gib) == _SIZES[-1] else {},
    )
