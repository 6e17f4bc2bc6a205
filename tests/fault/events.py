"""What an operator asks for (`OPERATIONS`), and what happens between two applies (`EVENTS`).

Each is called with the schedule, draws from its `chance`, and is found by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fault.site import NODE_SPECS, RESERVED, fleet, requests
from fault.terraform import Wanted, Workspace
from rpool.model.server import Fleet, ServerName

if TYPE_CHECKING:
    from fault.schedule import Schedule

LONG_AGO_SECONDS = 3600.0

# -- what an operator asks for -----------------------------------------------------------------


def another_request(schedule: Schedule) -> None:
    name = schedule.chance.choice(schedule.names)
    clusters = {**schedule.wanted.clusters, name: requests(schedule.chance, name)}
    schedule.wanted = replace(schedule.wanted, clusters=clusters)


def another_control_plane(schedule: Schedule) -> None:
    if not schedule.wanted.clusters:
        return another_request(schedule)
    name, spec = schedule.chance.choice(sorted(schedule.wanted.clusters.items()))
    planes = replace(spec.control_plane, servers=schedule.chance.choice([1, 3, 5]))
    clusters = {**schedule.wanted.clusters, name: replace(spec, control_plane=planes)}
    schedule.wanted = replace(schedule.wanted, clusters=clusters)
    return None


def one_cluster_less(schedule: Schedule) -> None:
    if not schedule.wanted.clusters:
        return another_request(schedule)
    gone = schedule.chance.choice(sorted(schedule.wanted.clusters))
    clusters = {n: s for n, s in schedule.wanted.clusters.items() if n != gone}
    nodes = {n: node for n, node in schedule.wanted.nodes.items() if node[0] != gone}
    schedule.wanted = Wanted(clusters, nodes)
    return None


def a_node(schedule: Schedule) -> None:
    if not schedule.wanted.clusters:
        return another_request(schedule)
    server = schedule.chance.choice(sorted(RESERVED))
    cluster = schedule.chance.choice(sorted(schedule.wanted.clusters))
    spec = schedule.chance.choice(NODE_SPECS)
    if server in schedule.wanted.nodes and schedule.wanted.nodes[server][0] != cluster:
        cluster = schedule.wanted.nodes[server][0]
    schedule.wanted = replace(
        schedule.wanted, nodes={**schedule.wanted.nodes, server: (cluster, spec)}
    )
    return None


def one_node_less(schedule: Schedule) -> None:
    if not schedule.wanted.nodes:
        return a_node(schedule)
    gone = schedule.chance.choice(sorted(schedule.wanted.nodes))
    nodes = {n: node for n, node in schedule.wanted.nodes.items() if n != gone}
    schedule.wanted = replace(schedule.wanted, nodes=nodes)
    return None


def the_same_again(schedule: Schedule) -> None:
    """Nothing was edited."""


OPERATIONS: tuple[Callable[[Schedule], None], ...] = (
    another_request,
    another_request,
    another_control_plane,
    one_cluster_less,
    a_node,
    one_node_less,
    the_same_again,
)

# -- what happens between operations -----------------------------------------------------------


def used(schedule: Schedule) -> list[ServerName]:
    return sorted(n for n, m in schedule.world.machines.items() if m.claim) or ["r1u00"]


def edit(schedule: Schedule, name: ServerName, **changes: bool) -> None:
    if name in schedule.declared.servers:
        servers = dict(schedule.declared.servers)
        servers[name] = replace(servers[name], **changes)  # type: ignore[arg-type]
        schedule.declared = Fleet(servers)


def power_goes(schedule: Schedule) -> None:
    """A server loses power now, or did so long ago that its cluster's grace is over."""
    machine = schedule.world.machines[schedule.chance.choice(used(schedule))]
    schedule.fate.power_off(machine, schedule.chance.choice([0.0, LONG_AGO_SECONDS]))


def kubelet_ends(schedule: Schedule) -> None:
    """A restart repairs it."""
    machine = schedule.world.machines[schedule.chance.choice(used(schedule))]
    machine.fall_sick("kubelet", schedule.chance.choice([0.0, LONG_AGO_SECONDS]))


def disk_fails(schedule: Schedule) -> None:
    """Only another join repairs what was on it."""
    machine = schedule.world.machines[schedule.chance.choice(used(schedule))]
    machine.fall_sick("disk", schedule.chance.choice([0.0, LONG_AGO_SECONDS]))


def power_comes_back(schedule: Schedule) -> None:
    for machine in schedule.world.machines.values():
        machine.give_power()


def marked_lost(schedule: Schedule) -> None:
    """The hardware is gone, or so it seems: it may come back at the end."""
    name = schedule.chance.choice(used(schedule))
    schedule.fate.power_off(schedule.world.machines[name])
    edit(schedule, name, lost=True)


def marked_retire(schedule: Schedule) -> None:
    edit(schedule, schedule.chance.choice(used(schedule)), retire=True)


def marks_removed(schedule: Schedule) -> None:
    for name in schedule.declared.servers:
        edit(schedule, name, lost=False, retire=False)


def entry_removed(schedule: Schedule) -> None:
    gone = schedule.chance.choice(sorted(schedule.declared.servers))
    kept = {n: s for n, s in schedule.declared.servers.items() if n != gone}
    schedule.declared = Fleet(kept)


def entries_back(schedule: Schedule) -> None:
    marks = schedule.declared.servers
    schedule.declared = Fleet({n: marks.get(n, s) for n, s in fleet().servers.items()})


def state_lost(schedule: Schedule) -> None:
    """The state is gone. Its clusters are imported by uid; if one cannot be, a backup is found."""
    before = schedule.state
    schedule.state = Workspace(schedule.connect)
    for name, instance in before.clusters.items():
        if schedule.state.adopt(str(instance.values["id"]), name) is not None:
            schedule.state = before
            return
    for server, instance in before.nodes.items():
        if schedule.state.adopt_node(str(instance.values["cluster"]), server) is not None:
            schedule.state = before
            return


def old_state(schedule: Schedule) -> None:
    """A backup of the state is put back, or somebody goes on with a copy of it."""
    if schedule.states:
        schedule.state = schedule.chance.choice(schedule.states).copy()


def comes_back(schedule: Schedule) -> None:
    """Servers that their clusters have given up have power again, with the claims that they had."""
    for name in sorted(schedule.given_up):
        schedule.world.machines[name].give_power()
        edit(schedule, name, lost=False)


def installed_anew(schedule: Schedule) -> None:
    schedule.fate.reinstall(schedule.world.machines[schedule.chance.choice(used(schedule))])


def packages_changed(schedule: Schedule) -> None:
    """Somebody changes what the next cluster would run: a reset leaves the claim there."""
    schedule.world.machines[schedule.chance.choice(used(schedule))].altered = ("kubelet",)


def late_ends(schedule: Schedule) -> None:
    schedule.fate.late.end_all()


EVENTS: tuple[Callable[[Schedule], None], ...] = (
    power_goes,
    power_goes,
    power_comes_back,
    power_comes_back,
    marked_lost,
    marked_retire,
    marks_removed,
    entry_removed,
    entries_back,
    entries_back,
    state_lost,
    old_state,
    comes_back,
    installed_anew,
    packages_changed,
    kubelet_ends,
    disk_fails,
    late_ends,
)
