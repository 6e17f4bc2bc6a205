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
    """The cluster by its record and by what was observed. Servers that are gone are left out; it is
    incomplete where a server is not what the record says, and degraded where one is not well for
    longer than its grace. Those that count as lost have no share in what is allocated.
    """
    record, pool = members.record, members.pool
    own = {n: its for n, its in record.own.items() if members.part(n) is not Part.GONE}
    whole = record.is_settled and not members.differing and not pool.open_to_joiners
    repairs = Repairs.of(ailing(members))
    well = Condition.DEGRADED if repairs else Condition.SETTLED
    condition = well if whole else Condition.INCOMPLETE
    view = of_spec(record.uid, record.spec, own, condition, ca_certificate)
    counts = record.spec.repair.mode is RepairMode.PLAN
    return replace(view, lost=repairs.lost if counts else frozenset())


def came_and_went(
    members: Membership, wanted: Collection[ServerName], had: Collection[ServerName]
) -> str:
    """What became of a change that did not come to its end, a line for each: who joined and who did
    not, who left and who did not. `had`: the members before.
    """
    here = {n for n in members.record.members if members.part(n) is not Part.GONE}
    whole = members.among(here, Part.MEMBER)
    new, old = set(wanted) - set(had), set(had) - set(wanted)
    groups = {
        "Joined": new & whole,
        "Not joined": new - whole,
        "Left": old - here,
        "Not left": old & here,
    }
    return "\n".join(f"{word}: {', '.join(sorted(its))}." for word, its in groups.items() if its)


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
