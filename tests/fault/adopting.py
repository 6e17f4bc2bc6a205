"""What no state knows in the end is imported, as README and errors say; what nobody wants goes."""

from __future__ import annotations

from fault.events import edit
from fault.schedule import Schedule
from fault.terraform import Wanted
from rpool.model.server import ServerName
from rpool.simulate.machine import Machine


def adopt(schedule: Schedule) -> None:
    """An old state may have clusters that are gone: a refresh says so first."""
    schedule.state.refresh()
    living_first = sorted(
        claims(schedule) - schedule.state.uids, key=lambda uid: (not schedule.settled(uid), uid)
    )
    for number, uid in enumerate(living_first):
        pool = next(m.claim.pool for m in claimed(schedule) if m.claim and m.claim.uid == uid)
        is_wanted = pool in schedule.wanted.clusters and pool not in schedule.state.clusters
        name = pool if is_wanted else f"orphan{number}"
        said = schedule.state.adopt(uid, name)
        if said is not None and "lost = true" in said:
            said = _by_word(schedule, uid, name)
        schedule.history.append(f"import {uid}: {said or 'done'}")
        if said is not None:
            schedule.broken.append(f"a claimed server that nobody can import: {said}")
    go_first = {server for name in schedule.state.clusters for server in _nodes(schedule, name)}
    if go_first:
        _take_out(schedule, go_first)


def _nodes(schedule: Schedule, name: str) -> set[ServerName]:
    """The servers of a cluster that an rpool_node has put there, once these are in the state.
    Returned are those of which the cluster is to go.
    """
    uid = str(schedule.state.clusters[name].values["id"])
    records = (m.cluster.record for m in schedule.world.machines.values() if m.cluster)
    record = next((its for its in records if its and its.uid == uid), None)
    pinned = set(record.pinned) if record else set()
    for server in sorted(pinned):
        there = schedule.state.nodes.get(server)
        if there is None or there.values["cluster"] != uid:
            said = schedule.state.adopt_node(uid, server)
            schedule.history.append(f"import {uid}/{server}: {said or 'done'}")
    return set() if name in schedule.wanted.clusters else pinned


def _take_out(schedule: Schedule, servers: set[ServerName]) -> None:
    kept = schedule.wanted
    nodes = {name: its for name, its in kept.nodes.items() if name not in servers}
    schedule.wanted = Wanted(kept.clusters, nodes)
    schedule.apply({}, "without nodes of clusters that go")
    schedule.wanted = kept


def _by_word(schedule: Schedule, uid: str, name: str) -> str | None:
    """By marking what is left of it, as the error says."""
    marked = [n for n, m in schedule.world.machines.items() if m.claim and m.claim.uid == uid]
    for server in marked:
        edit(schedule, server, lost=True)
    said = schedule.state.adopt(uid, name)
    for server in marked:
        edit(schedule, server, lost=False)
    return said


def claims(schedule: Schedule) -> set[str]:
    return {m.claim.uid for m in claimed(schedule) if m.claim}


def claimed(schedule: Schedule) -> list[Machine]:
    return [m for m in schedule.world.machines.values() if m.claim]
