"""A site of modelled servers for tests, with a request that five of its servers hold."""

from __future__ import annotations

from typing import Any

from rpool.api import Attempt, Site
from rpool.model.claim import Claim, Phase
from rpool.model.event import Event
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role, Server
from rpool.model.site import SiteConfig, Ssh
from rpool.simulate.world import Machine, SimulatedWorld

SPEC = PoolSpec(
    name="batch",
    kubernetes_version="1.36.3",
    cores=16,
    memory_gib=32,
    control_plane=ControlPlane(3, Endpoint(vip="10.0.1.200")),
    metallb_pools={"default": ("10.0.1.210-10.0.1.230",)},
)
FOREIGN = Claim("ffffffff", "other", "eve@desk", Role.WORKER, Phase.MEMBER, 1, "2026-01-01")


def servers(count: int = 7) -> Fleet:
    return Fleet(
        {
            f"r{i % 3 + 1}u{i:02}": Server(
                name=f"r{i % 3 + 1}u{i:02}",
                address=f"10.0.1.{i + 10}",
                cores=4 if i < 3 else 8,
                memory_gib=8 if i < 3 else 16,
                zone=f"rack{i % 3 + 1}",
                host_key="ssh-ed25519 AAAA",
            )
            for i in range(count)
        }
    )


class Stage:
    """A site, its modelled world and what was logged."""

    def __init__(self, count: int = 7) -> None:
        self.world = SimulatedWorld(servers(count))
        config = SiteConfig(servers(count), Ssh(Secret("key")))
        self.site = Site(config, connect=lambda _: self.world)
        self.events: list[Event] = []

    def attempt(self, **more: Any) -> Attempt:
        return Attempt(timeout_seconds=60, log=self.events.append, **more)

    def machine(self, name: str) -> Machine:
        return self.world.machines[name]

    def claimed(self) -> set[str]:
        return {name for name, machine in self.world.machines.items() if machine.claim}


def workers_of(stage: Stage) -> list[str]:
    """The servers that can only be workers here: the control planes are the three small ones."""
    return list(stage.world.machines)[3:]
