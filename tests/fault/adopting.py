"""Imports what no state knows at the end of a schedule, as README and errors say. The nodes of
clusters that are not wanted go.
"""

from __future__ import annotations

from fault.events import edit
from fault.schedule import Schedule
from fault.terraform import Wanted
from rpool.model.server import ServerName
from rpool.simulate.machine import Machine


def adopt(schedule: Schedule) -> None:
    """Imports each claimed cluster that the state lacks, those that are settled first.

    An old state may have clusters that are gone, so it is refreshed before.
    """
    schedule.state.refresh()
    living_first = sorted(
        claims(schedule) - schedule.state.uids, key=lambda uid: (not schedule.settled(uid), uid)
    )
    for number, uid in enumerate(living_first):
        pool = next(m.claim.pool for m in claimed(schedule) if m.claim and m.claim.uid == uid)
        is_wanted = pool in schedule.wanted.clusters and pool not in schedule.state.clusters
        name = pool if is_wanted else f"orphan{number}"
        refusal = schedule.state.adopt(uid, name)
        if refusal is not None and "lost = true" in refusal:
            refusal = _adopt_marked_lost(schedule, uid, name)
        schedule.history.append(f"import {uid}: {refusal or 'done'}")
        if refusal is not None:
            schedule.broken.append(f"a claimed server that nobody can import: {refusal}")
    go_first = {
        server for name in schedule.state.clusters for server in _adopt_nodes(schedule, name)
    }
    if go_first:
        _take_out(schedule, go_first)


def _adopt_nodes(schedule: Schedule, name: str) -> set[ServerName]:
    """Imports the servers that an rpool_node has put into a cluster, where the state lacks them.
    Returns these servers if the cluster is to go, else none.
    """
    uid = str(schedule.state.clusters[name].values["id"])
    records = (m.cluster.record for m in schedule.world.machines.values() if m.cluster)
    record = next((r for r in records if r and r.uid == uid), None)
    pinned = set(record.pinned) if record else set()
    for server in sorted(pinned):
        instance = schedule.state.nodes.get(server)
        if instance is None or instance.values["cluster"] != uid:
            refusal = schedule.state.adopt_node(uid, server)
            schedule.history.append(f"import {uid}/{server}: {refusal or 'done'}")
    return set() if name in schedule.wanted.clusters else pinned


def _take_out(schedule: Schedule, servers: set[ServerName]) -> None:
    kept = schedule.wanted
    nodes = {name: node for name, node in kept.nodes.items() if name not in servers}
    schedule.wanted = Wanted(kept.clusters, nodes)
    schedule.apply({}, "without nodes of clusters that go")
    schedule.wanted = kept


def _adopt_marked_lost(schedule: Schedule, uid: str, name: str) -> str | None:
    """Imports a cluster while its servers are marked lost, as the error says."""
    marked = [n for n, m in schedule.world.machines.items() if m.claim and m.claim.uid == uid]
    for server in marked:
        edit(schedule, server, lost=True)
    refusal = schedule.state.adopt(uid, name)
    for server in marked:
        edit(schedule, server, lost=False)
    return refusal


def claims(schedule: Schedule) -> set[str]:
    return {m.claim.uid for m in claimed(schedule) if m.claim}


def claimed(schedule: Schedule) -> list[Machine]:
    return [m for m in schedule.world.machines.values() if m.claim]
