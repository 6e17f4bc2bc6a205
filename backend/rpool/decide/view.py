"""What users see of a cluster, from its record and from what was observed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rpool.decide.health import Repairs, ailing
from rpool.decide.membership import Membership, Part
from rpool.model.pool import PoolSpec, PoolUid, RepairMode
from rpool.model.record import Member, Record
from rpool.model.server import ServerName
from rpool.model.view import Condition, PoolView


def of_record(record: Record, ca_certificate: str) -> PoolView:
    """The cluster by its record alone. Its size is the settled one, so that the next plan shows
    what is missing. Its servers are all that may be claimed.
    """
    condition = Condition.SETTLED if record.is_settled else Condition.INCOMPLETE
    return of_spec(record.uid, record.spec, record.own, condition, ca_certificate)


def of_members(members: Membership, ca_certificate: str) -> PoolView:
    """The cluster by its record and what was observed. Servers that are gone are left out. The
    cluster is incomplete where a server differs from the record, and degraded where one is not well
    for longer than its grace. Servers that count as lost are not allocated.
    """
    record, pool = members.record, members.pool
    own = {n: member for n, member in record.own.items() if members.part(n) is not Part.GONE}
    is_complete = record.is_settled and not members.differing and not pool.open_to_joiners
    repairs = Repairs.of(ailing(members))
    health = Condition.DEGRADED if repairs else Condition.SETTLED
    condition = health if is_complete else Condition.INCOMPLETE
    view = of_spec(record.uid, record.spec, own, condition, ca_certificate)
    counts_lost = record.spec.repair.mode is RepairMode.PLAN
    return replace(view, lost=repairs.lost if counts_lost else frozenset())


def came_and_went(
    members: Membership, wanted: Collection[ServerName], had: Collection[ServerName]
) -> str:
    """What an unfinished change has done, in lines: the servers that joined or left, or did not.
    `had` are the members before.
    """
    here = {n for n in members.record.members if members.part(n) is not Part.GONE}
    joined = members.among(here, Part.MEMBER)
    new, old = set(wanted) - set(had), set(had) - set(wanted)
    groups = {
        "Joined": new & joined,
        "Not joined": new - joined,
        "Left": old - here,
        "Not left": old & here,
    }
    return "\n".join(
        f"{word}: {', '.join(sorted(names))}." for word, names in groups.items() if names
    )


def of_spec(
    uid: PoolUid,
    spec: PoolSpec,
    servers: dict[ServerName, Member],
    condition: Condition,
    ca_certificate: str,
) -> PoolView:
    endpoint = spec.control_plane.endpoint
    return PoolView(
        uid=uid,
        name=spec.name,
        kubernetes_version=spec.kubernetes_version,
        cores=spec.cores,
        memory_gib=spec.memory_gib,
        condition=condition,
        endpoint=endpoint.host_and_port,
        vip=endpoint.vip,
        ca_certificate=ca_certificate,
        servers=servers,
        schedulable=spec.control_plane.schedulable,
    )
