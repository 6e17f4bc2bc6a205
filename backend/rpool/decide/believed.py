"""What of a cluster's record is believed: whoever administers the cluster can write it.

A member counts by its own claim, or by Terraform's state; what is fixed on a running cluster is the
state's. The rest of a record is a request like any other: a plan shows what comes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from rpool.model.record import Member, Record
from rpool.model.seen import Probed
from rpool.model.server import Fleet, ServerName
from rpool.model.view import PoolView

Members = Mapping[ServerName, Member]


def believed(record: Record, known: Members, fleet: Fleet) -> Record:
    """The record without own members that neither the state (`known`) nor the fleet has. Those that
    stay are where and what the state or the fleet says. One of the state's own is an rpool_node's
    only if it is reserved: else the record would make the cluster smaller, and it grew without end.
    """
    pinned = {
        name: its
        for name, its in record.pinned.items()
        if name not in known or (name in fleet.servers and fleet.servers[name].reserved)
    }
    record = replace(record, pinned=pinned)
    out = record.own.keys() - known.keys() - fleet.servers.keys()
    left = {n: its for n, its in record.members.items() if n not in out}
    return replace(record, members={n: _facts(n, m, known, fleet) for n, m in left.items()})


def false_members(
    record: Record, seen: Mapping[ServerName, Probed], known: Members, fleet: Fleet
) -> frozenset[ServerName]:
    """Own members by the record alone: servers that the fleet lacks, or that were asked and have no
    claim of the cluster's. They are in no state, so no plan takes them for members.
    """
    return frozenset(
        name
        for name in record.own.keys() - known.keys()
        if name not in fleet.servers or (name in seen and seen[name].claim_of(record.uid) is None)
    )


def _facts(name: ServerName, its: Member, known: Members, fleet: Fleet) -> Member:
    server = fleet.servers.get(name)
    if server is None or its == Member.of(server, its.role, its.group):
        return its
    return known.get(name) or Member.of(server, its.role, its.group)


def as_known(view: PoolView, prior: PoolView, false: Collection[ServerName]) -> PoolView:
    """The view with the name and the endpoint of the state, which are for good, and without false
    members.
    """
    servers = {name: its for name, its in view.servers.items() if name not in false}
    return replace(view, name=prior.name, endpoint=prior.endpoint, vip=prior.vip, servers=servers)


def doubts(view: PoolView, prior: PoolView, false: Collection[ServerName]) -> list[str]:
    """What of the record is not believed, a sentence each."""
    record = f"The record of cluster {prior.name} (ConfigMap kube-system/rpool)"
    its = "Nothing comes of that; who may write there?"
    said = [f"{record} names {', '.join(sorted(false))}, which it has not. {its}"] if false else []
    if (view.name, view.endpoint) != (prior.name, prior.endpoint):
        said.append(f"{record} has another name or endpoint than the state. {its}")
    return said
