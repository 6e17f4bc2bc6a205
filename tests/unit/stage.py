"""A site of modelled servers for tests, with a request that five of its servers hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from rpool.api import Attempt, Site, Size, Standing, Target
from rpool.errors import RpoolError, Unreachable
from rpool.model.action import Action, AppendJournal
from rpool.model.claim import Claim, Phase
from rpool.model.event import Event
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role, Server
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import PoolView
from rpool.model.world import SessionLock
from rpool.simulate.machine import Machine
from rpool.simulate.world import SimulatedWorld

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
                address=f"10.0.{1 + i // 180}.{i % 180 + 10}",
                cores=4 if i < 3 else 8,
                memory_gib=8 if i < 3 else 16,
                zone=f"rack{i % 3 + 1}",
                host_key="ssh-ed25519 AAAA",
            )
            for i in range(count)
        }
    )


class Losing(SimulatedWorld):
    """Its session locks are lost once `loses` says so, as when contact breaks for 30 s."""

    loses: Callable[[], bool] = staticmethod(lambda: False)

    @contextmanager
    def lock(self, server: str, uid: str) -> Iterator[SessionLock]:
        with super().lock(server, uid):
            yield _Lost(lambda: self.loses())

    def lose_after(self, kind: type[Action]) -> None:
        """From the first action of `kind` on that is carried out from now."""
        self.acted.clear()
        self.loses = lambda: any(isinstance(action, kind) for action in self.acted)


@dataclass
class _Lost:
    lost: Callable[[], bool]


class Stage:
    """A site, its modelled world and what was logged."""

    def __init__(self, count: int = 7, world: type[SimulatedWorld] = SimulatedWorld) -> None:
        self.world = world(servers(count))
        config = SiteConfig(servers(count), Ssh(Secret("key")))
        self.site = Site(config, connect=lambda _: self.world)
        self.events: list[Event] = []

    def attempt(self, **more: Any) -> Attempt:
        return Attempt(timeout_seconds=60, log=self.events.append, **more)

    def mark(self, name: str, **marks: bool) -> None:
        """Change a server's entry in the fleet, as a user edits the configuration."""
        fleet = self.site.config.fleet.servers
        self.open(Fleet({**fleet, name: replace(fleet[name], **marks)}))  # type: ignore[arg-type]

    def open(self, fleet: Fleet | None = None) -> None:
        """As another process would see the site: it knows nothing of what was read before."""
        config = self.site.config if fleet is None else replace(self.site.config, fleet=fleet)
        self.world.fleet = config.fleet
        self.site = Site(config, connect=lambda _: self.world)

    def plan(self, view: PoolView, wanted: PoolSpec, was: PoolSpec) -> Target:
        """What Terraform does first: read, then plan from what was read."""
        self.open()
        found = self.site.read_pool(view)
        assert found.view is not None
        roles = {name: its.role for name, its in found.view.servers.items()}
        size = Size(found.view.cores, found.view.memory_gib, was.tolerate)
        return self.site.plan_pool(
            wanted, Standing(view.uid, size, roles, found.joining, found.leaving), found.offer
        )

    def become(self, view: PoolView, wanted: PoolSpec, was: PoolSpec = SPEC) -> PoolView:
        target = self.plan(view, wanted, was)
        return self.site.change_pool(view, wanted, target.roles, self.attempt())

    def machine(self, name: str) -> Machine:
        return self.world.machines[name]

    def claimed(self) -> set[str]:
        return {name for name, machine in self.world.machines.items() if machine.claim}


@contextmanager
def killed(stage: Stage, when: Callable[[Action], bool]) -> Iterator[threading.Event]:
    """As when the plugin is killed: nothing reaches a server any more after the first action for
    which `when` is true (the event says that there was one), and what came of it is lost.
    """
    whole = stage.world.carry_out
    dead = threading.Event()

    def carry_out(action: Action, timeout_seconds: float) -> None:
        if dead.is_set():
            raise Unreachable("killed")
        whole(action, timeout_seconds)
        if not isinstance(action, AppendJournal) and when(action):
            dead.set()

    stage.world.carry_out = carry_out  # type: ignore[method-assign]
    try:
        with suppress(RpoolError):
            yield dead
    finally:
        stage.world.carry_out = whole  # type: ignore[method-assign]
        stage.open()


def with_role(view: PoolView, role: Role) -> list[str]:
    return [name for name, its in view.servers.items() if its.role is role]


def workers_of(stage: Stage) -> list[str]:
    """The servers that can only be workers here: the control planes are the three small ones."""
    return list(stage.world.machines)[3:]
