"""A site of modelled servers for tests, with a request that five of its servers hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Any

from rpool.api import Attempt, Current, Site, Size, Target
from rpool.errors import RpoolError
from rpool.model.action import Action
from rpool.model.claim import Claim, Phase
from rpool.model.event import Event
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec, PoolUid
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role, Server
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import PoolView
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.world import SimulatedWorld
from worlds.fault import AFTER, Break, Fault
from worlds.faulty import FaultyWorld

SPEC = PoolSpec(
    name="batch",
    kubernetes_version="1.36.3",
    cores=16,
    memory_gib=32,
    control_plane=ControlPlane(3, Endpoint(vip="10.0.1.200")),
    metallb_pools={"default": ("10.0.1.210-10.0.1.230",)},
)
BIGGER = replace(SPEC, cores=24, memory_gib=48)
SMALLER = replace(SPEC, cores=8, memory_gib=16)
ONE = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))
FIVE = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=5))
FOREIGN = Claim(
    "ffffffff", "other", "eve@desk", Role.WORKER, Phase.MEMBER, 1, "2026-01-01", "r1u01", ""
)


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


def new_uid() -> PoolUid:
    """A uid drawn from `random`: a test that sets its seed gets the same ones again."""
    return f"{random.getrandbits(64):016x}"


class Stage:
    """A site and what was logged. `world` has its servers as they are; the site reaches them
    through `faulty`, where things go wrong.
    """

    def __init__(self, count: int = 7) -> None:
        self.world = SimulatedWorld(servers(count))
        self.faulty = FaultyWorld(self.world)
        config = SiteConfig(servers(count), Ssh(Secret("key")))
        self.site = self._site(config)
        self.events: list[Event] = []

    @property
    def acted(self) -> list[Action]:
        """Actions that had an effect, in order, since a test cleared the list."""
        return self.faulty.acted

    def faults(self, *faults: Fault) -> AbstractContextManager[list[list[Any]]]:
        """See `FaultyWorld.faults`."""
        return self.faulty.faults(*faults)

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
        self.site = self._site(config)

    def _site(self, config: SiteConfig) -> Site:
        return Site(config, connect=lambda _: self.faulty, new_uid=new_uid)

    def plan(self, view: PoolView, wanted: PoolSpec, was: PoolSpec) -> Target:
        """What Terraform does first: read, then plan from what was read."""
        self.open()
        answer = self.site.read_pool(view)
        assert answer.view is not None
        roles = {name: server.role for name, server in answer.view.servers.items()}
        size = Size(answer.view.cores, answer.view.memory_gib, was.tolerate)
        groups = {name: server.group for name, server in answer.view.servers.items()}
        sizes = {name: Size.of(was.part(name)) for name in was.groups}
        moving = (answer.joining, answer.leaving)
        current = Current(view.uid, size, roles, *moving, groups=groups, sizes=sizes)
        return self.site.plan_pool(wanted, current, answer.offer)

    def read(self, view: PoolView) -> PoolView:
        """The cluster as another process sees it."""
        self.open()
        current = self.site.read_pool(view).view
        assert current is not None
        return current

    def become(self, view: PoolView, wanted: PoolSpec, was: PoolSpec = SPEC) -> PoolView:
        target = self.plan(view, wanted, was)
        change = (wanted, target.roles, self.attempt())
        return self.site.change_pool(view, *change, groups=target.groups)

    def machine(self, name: str) -> Machine:
        return self.world.machines[name]

    def cluster(self, view: PoolView) -> Cluster:
        """The modelled cluster that the first control plane is in."""
        cluster = self.machine(view.control_planes[0]).cluster
        assert cluster is not None
        return cluster

    def claimed(self) -> set[str]:
        return {name for name, machine in self.world.machines.items() if machine.claim}


def made(count: int = 9) -> tuple[Stage, PoolView]:
    """A cluster as SPEC asks for it, made just now."""
    stage = Stage(count)
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.acted.clear()
    return stage, view


@contextmanager
def killed(
    stage: Stage,
    after: type[Action] | tuple[type, ...],
    where: Callable[[Any], bool] = lambda action: True,
    first: int = 1,
    sure: bool = True,
) -> Iterator[list[Action]]:
    """Kills the plugin after such an action, the `first` of them: see `Break.KILLED`. Yields a list
    that gets the action. After the block another process sees the site.
    """
    fault = Fault(after, Break.KILLED, AFTER, None, where, first, 1, sure)
    with suppress(RpoolError), stage.faults(fault) as (last,):
        yield last
    stage.open()


def with_role(view: PoolView, role: Role) -> list[str]:
    return [name for name, server in view.servers.items() if server.role is role]


def workers_of(stage: Stage) -> list[str]:
    """The servers that can only be workers here: the control planes are the three small ones."""
    return list(stage.world.machines)[3:]
