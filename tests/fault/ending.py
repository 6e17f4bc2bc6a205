"""The end of a schedule: everything is repaired, and within some applies all is as it should be.

Rules at the end, with all servers up, marks gone and no more faults
- Of `PATIENCE` applies of the same configuration one has no error and changes nothing.
- Each cluster is whole: its servers are in its state, its Nodes, and claimed as members; etcd's
  members are its control planes; no server is cordoned; no join token is left.
- No server is claimed by a cluster that no state knows of and that nobody can import.
- After a destroy of everything every server is a spare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fault.adopting import adopt, claimed, claims
from fault.events import edit
from fault.rules import has_quorum
from fault.schedule import Schedule
from fault.site import fleet
from fault.terraform import Wanted
from rpool.model.claim import Phase
from rpool.model.pool import Selector, Tolerance
from rpool.model.server import Role, ServerName
from rpool.simulate.machine import Machine

PATIENCE = 6


def end(schedule: Schedule) -> None:
    schedule.fate.late.end_all()
    wipe_what_was_given_up(schedule)
    for machine in schedule.world.machines.values():
        machine.give_power()
        machine.altered, machine.sick, machine.down_since = (), "", 0.0
        machine.failures = [f for f in machine.failures if not f.aside]  # rpool release
    schedule.fate.clocks.clear()
    schedule.declared = fleet()
    schedule.history.append("everything is repaired")
    adopt(schedule)
    give_up(schedule, without_quorum(schedule))
    for _ in range(PATIENCE):
        if schedule.apply({}, "and again"):
            break
        if "does not fit" in schedule.history[-1]:
            ask_for_less(schedule)
        if "own servers" in schedule.history[-1]:
            let_go(schedule, schedule.history[-1].split()[1])
        if "shows its API" in schedule.history[-1]:
            latest = "".join(schedule.history[-9:])
            names = schedule.wanted.clusters
            give_up(schedule, {n for n in names if f"cluster {n} shows its API" in latest})
    else:
        schedule.broken.append("no end: " + schedule.history[-1])
        return
    check_the_end(schedule)
    if not schedule.broken:
        schedule.wanted = Wanted()
        for _ in range(3):
            if schedule.apply({}, "destroy"):
                break
        dirty = sorted(n for n, m in schedule.world.machines.items() if m.claim or m.traces)
        if dirty:
            schedule.broken.append(f"not given back: {', '.join(dirty)}")


def wipe_what_was_given_up(schedule: Schedule) -> None:
    """Wipes by hand each server that left its cluster marked lost, as errors and docs say. A Node
    that it has registered again is deleted: the cluster would not let the server in beside it.
    """
    for name in sorted(schedule.given_up - schedule.state.servers):
        cluster = schedule.world.machines[name].cluster
        if cluster is not None:
            cluster.delete_node(name)
        schedule.fate.wipe(schedule.world.machines[name])


def let_go(schedule: Schedule, server: ServerName) -> None:
    """Takes a server out of its cluster by its mark, as the error says. It is to be an rpool_node,
    and the cluster took it over as its own from a create that was never settled.
    """
    edit(schedule, server, retire=True)
    schedule.apply({}, f"{server} retires")
    edit(schedule, server, retire=False)


def ask_for_less(schedule: Schedule) -> None:
    clusters = {
        name: replace(
            spec,
            cores=8,
            memory_gib=16,
            selector=Selector(),
            tolerate=Tolerance(),
            control_plane=replace(spec.control_plane, servers=1),
        )
        for name, spec in schedule.wanted.clusters.items()
    }
    schedule.wanted = replace(schedule.wanted, clusters=clusters)


def without_quorum(schedule: Schedule) -> set[str]:
    """Names of clusters whose control planes were lost for good: a read warns of them, and no apply
    repairs them.
    """
    living = {uid for m in claimed(schedule) if m.cluster for uid in _uids(schedule, m)}
    known = schedule.state.clusters.items()
    return {n for n, i in known if n in schedule.wanted.clusters and i.values["id"] not in living}


def _uids(schedule: Schedule, machine: Machine) -> set[str]:
    """The uid of the machine's claim if its cluster has quorum, else none."""
    assert machine.cluster is not None
    assert machine.claim is not None
    return {machine.claim.uid} if has_quorum(schedule.world, machine.cluster) else set()


def give_up(schedule: Schedule, dead: set[str]) -> None:
    """A cluster that has lost its quorum is destroyed whole, and made again."""
    if not dead:
        return
    kept = schedule.wanted
    clusters = {n: s for n, s in kept.clusters.items() if n not in dead}
    nodes = {n: node for n, node in kept.nodes.items() if node[0] not in dead}
    schedule.wanted = Wanted(clusters, nodes)
    uids = {i.values["id"] for name, i in schedule.state.clusters.items() if name in dead}
    for server, instance in list(schedule.state.nodes.items()):
        if instance.values["cluster"] in uids:
            del schedule.state.nodes[server]  # terraform state rm, as the error says
            schedule.history.append(f"state rm {server} of {instance.values['cluster']}")
    schedule.apply({}, "without the dead")
    schedule.wanted = kept


def check_the_end(schedule: Schedule) -> None:
    for name, instance in schedule.state.clusters.items():
        check_cluster(schedule, name, str(instance.values["id"]), instance.values["servers"])
    if unknown := claims(schedule) - schedule.state.uids:
        schedule.broken.append(f"claimed by clusters that no state knows: {sorted(unknown)}")


def check_cluster(
    schedule: Schedule, name: str, uid: str, own: Mapping[ServerName, Mapping[str, object]]
) -> None:
    members = {n for n, m in schedule.world.machines.items() if m.claim and m.claim.uid == uid}
    pinned = {n for n, i in schedule.state.nodes.items() if i.values["cluster"] == uid}
    control_planes = {n for n, s in own.items() if s["role"] == Role.CONTROL_PLANE.value}
    cluster = schedule.world.machines[min(control_planes)].cluster
    claims = [schedule.world.machines[n].claim for n in members]
    rules: dict[str, Callable[[], bool]] = {
        "its claims are its state's servers": lambda: members == set(own) | pinned,
        "its Nodes are its servers": lambda: cluster is not None and set(cluster.nodes) == members,
        "its members run": lambda: all(
            schedule.world.machines[n].cluster is cluster for n in members
        ),
        "etcd has its control planes": lambda: (
            cluster is not None and set(cluster.members) == control_planes
        ),
        "its claims say member": lambda: all(c and c.phase is Phase.MEMBER for c in claims),
        "nobody is cordoned": lambda: cluster is not None and not cluster.cordoned,
        "no token is left": lambda: cluster is not None and not cluster.tokens,
    }
    schedule.broken += [f"{name}: not so: {rule}" for rule, holds in rules.items() if not holds()]
