"""How much of a cluster's record is believed: whoever administers the cluster can write it.

A member counts by its own claim, or by Terraform's state; what is fixed on a running cluster is
taken from the state. The rest of a record is a request like any other: a plan shows its effects.
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
    """The record without own members that neither the state (`known`) nor the fleet has. The rest
    have their facts from the state or the fleet. A server of the state's own is an rpool_node's
    only if it is reserved: otherwise a record could take members out of the sizing, and the cluster
    would grow without end.
    """
    pinned = {
        name: spec
        for name, spec in record.pinned.items()
        if name not in known or (name in fleet.servers and fleet.servers[name].reserved)
    }
    record = replace(record, pinned=pinned)
    out = record.own.keys() - known.keys() - fleet.servers.keys()
    kept = {name: member for name, member in record.members.items() if name not in out}
    return replace(record, members={n: _facts(n, m, known, fleet) for n, m in kept.items()})


def false_members(
    record: Record, seen: Mapping[ServerName, Probed], known: Members, fleet: Fleet
) -> frozenset[ServerName]:
    """Own members by the record alone: servers that the fleet lacks, or that were probed and have
    no claim of the cluster. They are in no state, so no plan takes them for members.
    """
    return frozenset(
        name
        for name in record.own.keys() - known.keys()
        if name not in fleet.servers or (name in seen and seen[name].claim_of(record.uid) is None)
    )


def _facts(name: ServerName, member: Member, known: Members, fleet: Fleet) -> Member:
    server = fleet.servers.get(name)
    if server is None or member == Member.of(server, member.role, member.group):
        return member
    return known.get(name) or Member.of(server, member.role, member.group)


def as_known(view: PoolView, prior: PoolView, false: Collection[ServerName]) -> PoolView:
    """The view without false members, with the name and endpoint of the state: these are fixed."""
    servers = {name: member for name, member in view.servers.items() if name not in false}
    return replace(view, name=prior.name, endpoint=prior.endpoint, vip=prior.vip, servers=servers)


def doubts(view: PoolView, prior: PoolView, false: Collection[ServerName]) -> list[str]:
    """A sentence for each part of the record that is not believed."""
    record = f"The record of cluster {prior.name} (ConfigMap kube-system/rpool)"
    ignored = "rpool ignores that; check who can write there."
    sentences = (
        [f"{record} names servers that are not its own: {', '.join(sorted(false))}. {ignored}"]
        if false
        else []
    )
    if (view.name, view.endpoint) != (prior.name, prior.endpoint):
        sentences.append(f"{record} has another name or endpoint than the state. {ignored}")
    return sentences
