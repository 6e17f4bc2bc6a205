"""The site of a schedule, and the requests that are drawn for its clusters."""

from __future__ import annotations

import random

from rpool.model.pool import ControlPlane, Endpoint, NodeSpec, PoolSpec, Selector, Taint, Tolerance
from rpool.model.server import Fleet, Server

SERVERS = 18
NAMES = ("batch", "other")
RESERVED = frozenset({"r1u15", "r2u16", "r3u17"})
NODE_SPECS = (NodeSpec(), NodeSpec({"gpu": "h100"}, (Taint("gpu", "true", "NoSchedule"),)))


def fleet() -> Fleet:
    """Eighteen servers in three racks: six small ones, twelve twice as big, three reserved."""
    servers = {}
    for i in range(SERVERS):
        name = f"r{i % 3 + 1}u{i:02}"
        servers[name] = Server(
            name=name,
            address=f"10.0.1.{i + 10}",
            cores=4 if i < 6 else 8,
            memory_gib=8 if i < 6 else 16,
            zone=f"rack{i % 3 + 1}",
            host_key="ssh-ed25519 AAAA",
            reserved=name in RESERVED,
        )
    return Fleet(servers)


def requests(chance: random.Random, name: str) -> PoolSpec:
    cores = chance.choice([8, 16, 24, 32])
    return PoolSpec(
        name=name,
        kubernetes_version="1.36.3",
        cores=cores,
        memory_gib=2 * cores,
        control_plane=ControlPlane(
            chance.choice([1, 1, 3, 3, 5]), Endpoint(vip=f"10.0.1.{200 + NAMES.index(name)}")
        ),
        selector=chance.choice([Selector(), Selector(), Selector(frozenset({"rack1", "rack2"}))]),
        metallb_pools=chance.choice(
            [{}, {"default": (f"10.0.1.{210 + 10 * NAMES.index(name)}/32",)}]
        ),
        tolerate=chance.choice([Tolerance(), Tolerance(), Tolerance(servers=1)]),
    )
