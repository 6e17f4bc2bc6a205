"""From what is known of a pool to what its users see."""

from __future__ import annotations

from dataclasses import replace

from rpool.decide.joining import Joining
from rpool.flow.observe import serving_control_plane
from rpool.model.record import Record, RecordPhase
from rpool.model.seen import ClusterSeen
from rpool.model.server import Role
from rpool.model.view import Condition, PoolView
from rpool.model.world import World


def of_joining(joining: Joining, world: World | None) -> PoolView:
    """A pool as it was just made (`world` shows its nodes), or as far as that came (None)."""
    control_planes = joining.with_role(Role.CONTROL_PLANE)
    found = serving_control_plane(world, joining.uid, control_planes) if world else None
    cluster = found[1] if found else None
    spec = joining.spec
    servers = joining.members()
    return PoolView(
        uid=joining.uid,
        name=spec.name,
        kubernetes_version=spec.kubernetes_version,
        cores=spec.cores,
        memory_gib=spec.memory_gib,
        condition=Condition.SETTLED if cluster else Condition.INCOMPLETE,
        endpoint=spec.control_plane.endpoint.host_and_port,
        vip=spec.control_plane.endpoint.vip,
        ca_certificate=cluster.ca_certificate if cluster else "",
        servers=servers,
    )


def of_cluster(prior: PoolView, cluster: ClusterSeen) -> PoolView:
    """The pool by its own record; without one (a create that was cut off early, or somebody has
    deleted it) as before, and to be mended. The record that a create begins with may be older than
    what is known of it: no server may be forgotten then, since it would stay claimed by nobody's
    pool.
    """
    record = cluster.record
    if record is None:
        return replace(prior, condition=Condition.INCOMPLETE)
    if prior.condition is Condition.INCOMPLETE and not record.created:
        record = replace(record, members={**prior.servers, **record.members})
    return of_record(record, cluster)


def of_record(record: Record, cluster: ClusterSeen) -> PoolView:
    """The cluster by a record. Its size is the one that was carried out last, so that what is
    missing shows in the next plan; its servers are all that may be claimed by it.
    """
    spec, endpoint = record.spec, record.spec.control_plane.endpoint
    settled = record.phase is RecordPhase.SETTLED
    return PoolView(
        uid=record.uid,
        name=spec.name,
        kubernetes_version=spec.kubernetes_version,
        cores=spec.cores,
        memory_gib=spec.memory_gib,
        condition=Condition.SETTLED if settled else Condition.INCOMPLETE,
        endpoint=endpoint.host_and_port,
        vip=endpoint.vip,
        ca_certificate=cluster.ca_certificate,
        servers=record.own,
    )
