"""The pictures of the pages: a modelled site, drawn by the `rpool` command's own code.

They are the same each time: the cluster's uid is given, and the clock advances by about what each
step takes on real servers. Servers, places and steps are the engine's; what pods request is made
up, since the model has no pods.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from rich.console import Console

from rpool.api import Attempt, Current, Site, Size
from rpool.cli.picture import as_svg, slots
from rpool.cli.show import titles
from rpool.cli.watch import Look, drawn, looks
from rpool.model.action import Action, Join
from rpool.model.event import Event, Result
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.secret import Secret
from rpool.model.seen import Requested
from rpool.model.server import Fleet, Role, Server, ServerName
from rpool.model.site import SiteConfig, Ssh
from rpool.model.step import News
from rpool.model.view import PoolView
from rpool.simulate.world import SimulatedWorld

UID, OTHER_UID = "0863513a9c41d07e", "7d0e39f62514cb43"
OWNER = "ann@desk"
BEGAN = datetime(2026, 11, 30, 10, 2, 11, tzinfo=UTC)
WATCHED_SECONDS = 11
"""How long the join has been under way in the picture of `rpool watch`."""

TAKES_SECONDS = {"record": 0.3, "claim": 0.6, "admit": 1.4, "prepare": 38.2, "join": 24.8}
"""What a step takes, by the first word of its name. No other steps happen here."""

BATCH = PoolSpec(
    name="batch",
    kubernetes_version="1.36.3",
    cores=32,
    memory_gib=128,
    control_plane=ControlPlane(3, Endpoint(vip="10.0.0.200")),
)
WEB = replace(
    BATCH,
    name="web",
    cores=16,
    memory_gib=64,
    control_plane=ControlPlane(1, Endpoint(vip="10.0.0.201")),
)
REQUESTED = ((0.62, 0.40), (0.35, 0.55), (0.48, 0.71), (0.21, 0.09), (0.18, 0.12), (0.24, 0.10))
"""Shares of cores and memory that pods request: on the workers first, then on control planes."""

_COLUMNS = 104


def fleet() -> Fleet:
    """Three racks of four servers; the lowest ones are small."""
    made = (
        Server(
            name=f"r{rack}u{unit:02}",
            address=f"10.0.0.{rack * 10 + unit}",
            cores=4 if unit == 1 else 16,
            memory_gib=16 if unit == 1 else 64,
            zone=f"rack{rack}",
            host_key="",
        )
        for rack in (1, 2, 3)
        for unit in (1, 2, 3, 4)
    )
    return Fleet({server.name: server for server in made})


class World(SimulatedWorld):
    """A modelled world that calls `joining` before a server joins, and has requests of pods."""

    at_once = 1  # so that steps that could run at once begin and end in the same order each time

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self.joining: Callable[[], None] = lambda: None

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        if isinstance(action, Join):
            self.joining()
        return super().carry_out(action, timeout_seconds)

    def requested(self, through: ServerName) -> Mapping[ServerName, Requested]:
        nodes = self.observe(through).nodes
        in_turn = sorted(nodes, key=lambda name: (nodes[name].control_plane, name))
        return {
            name: Requested(
                cores * nodes[name].allocatable_cores, memory * nodes[name].allocatable_memory_gib
            )
            for name, (cores, memory) in zip(in_turn, REQUESTED, strict=False)
        }


@cache
def pictures() -> Mapping[str, str]:
    """Each picture, by the name of its file."""
    world = World(fleet())
    site = _site(world)
    view = site.create_pool(BATCH, Attempt(60, owner=OWNER))
    site.create_pool(WEB, Attempt(60, owner="bob@desk"))
    events: list[Event] = []
    looks_while_joining: list[Look] = []

    def look() -> None:
        looks_while_joining.append(_look(world, view, events))

    world.joining = look
    _grow(world, view, events.append)
    (joining,) = looks_while_joining
    _hurt_one(world, view)
    survey = _site(world).survey()
    cluster = survey.cluster(view.uid)
    drawn_slots = slots(survey, cluster, world.requested(cluster.through))
    return {
        "show.svg": "\n".join(as_svg(list(titles(cluster)), drawn_slots)) + "\n",
        "watch.svg": _screen("rpool watch batch", joining),
    }


def _site(world: World) -> Site:
    """The site as a process that has just started has it."""
    uids = iter((UID, OTHER_UID))
    config = SiteConfig(world.fleet, Ssh(Secret("none is needed")))
    return Site(config, connect=lambda _: world, new_uid=lambda: next(uids))


def _grow(world: World, view: PoolView, log: Callable[[Event], None]) -> None:
    """Grows the cluster by one server, as the next apply does."""
    site = _site(world)
    observed = site.read_pool(view)
    roles = {name: member.role for name, member in view.servers.items()}
    current = Current(view.uid, Size.of(BATCH), roles)
    larger = replace(BATCH, cores=48, memory_gib=192)
    target = site.plan_pool(larger, current, observed.offer)
    site.change_pool(view, larger, target.roles, Attempt(60, owner=OWNER, log=log))


def _hurt_one(world: World, view: PoolView) -> None:
    """Stops the kubelet of a worker, at a later time than all of the above."""
    name = max(name for name, member in view.servers.items() if member.role is Role.WORKER)
    machine = world.machines[name]
    machine.fall_sick("kubelet")
    machine.down_since = (BEGAN + timedelta(hours=2)).timestamp()


def _look(world: World, view: PoolView, reported: Iterable[Event]) -> Look:
    """The cluster as `rpool watch` sees it now, on our clock."""
    events = _timed(reported)
    started = datetime.fromisoformat(events[-1].time)
    at = started + timedelta(seconds=WATCHED_SECONDS)
    return replace(next(looks(_site(world), view.uid)), events=events, at=at)


def _timed(reported: Iterable[Event]) -> tuple[Event, ...]:
    """The events as they would have been on our clock: a step starts when the step whose end was
    reported last has ended.
    """
    now, started, timed = BEGAN, dict[str, datetime](), list[Event]()
    for event in reported:
        seconds = 0.0
        if event.outcome is Result.STARTED:
            started[event.step] = now
        else:
            seconds = TAKES_SECONDS[event.step.split()[0]]
            now = started[event.step] + timedelta(seconds=seconds)
        timed.append(replace(event, time=now.isoformat(), seconds=seconds))
    return tuple(sorted(timed, key=lambda e: (e.time, e.outcome is Result.STARTED)))


def _screen(command: str, look: Look) -> str:
    """A terminal that shows `look` as the output of `command`."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), color_system="truecolor")
    console.print(drawn(look))
    text = console.export_svg(title=command, code_format=_TERMINAL, unique_id="t")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


_TERMINAL = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
.{unique_id}-title {{ font: 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own template loads a font from a URL."""
