"""From what is known of a pool to what its users see."""

from __future__ import annotations

from collections.abc import Mapping

from rpool.decide.create import Creation
from rpool.flow.observe import serving_control_plane
from rpool.model.record import Member, RecordPhase
from rpool.model.seen import ClusterSeen
from rpool.model.server import Role, ServerName
from rpool.model.view import Condition, PoolView
from rpool.model.world import World


def of_creation(creation: Creation, world: World | None) -> PoolView:
    """A pool as it was just made (`world` shows its nodes), or as far as that came (None)."""
    control_planes = creation.with_role(Role.CONTROL_PLANE)
    found = serving_control_plane(world, creation.uid, control_planes) if world else None
    cluster = found[1] if found else None
    spec = creation.spec
    servers = creation.members()
    cores, memory = allocatable(cluster, servers)
    return PoolView(
        uid=creation.uid,
        name=spec.name,
        kubernetes_version=spec.kubernetes_version,
        cores=spec.cores,
        memory_gib=spec.memory_gib,
        condition=Condition.SETTLED if cluster else Condition.INCOMPLETE,
        endpoint=spec.control_plane.endpoint.host_and_port,
        vip=spec.control_plane.endpoint.vip,
        ca_certificate=cluster.ca_certificate if cluster else "",
        servers=servers,
        allocatable_cores=cores,
        allocatable_memory_gib=memory,
    )


def of_cluster(prior: PoolView, cluster: ClusterSeen) -> PoolView:
    """The pool by its own record. While a change was cut off, the record may be older than what is
    known of the pool (a cluster without one is younger than it): no server may be forgotten then,
    since it would stay claimed by nobody's pool.
    """
    record = cluster.record
    if record is None or prior.condition is Condition.INCOMPLETE:
        return prior
    settled = record.phase is RecordPhase.SETTLED
    servers = record.members if settled else {**prior.servers, **record.members}
    cores, memory = allocatable(cluster, servers)
    return PoolView(
        uid=record.uid,
        name=record.name,
        kubernetes_version=record.kubernetes_version,
        cores=record.cores,
        memory_gib=record.memory_gib,
        condition=Condition.SETTLED if settled else Condition.INCOMPLETE,
        endpoint=prior.endpoint,
        vip=prior.vip,
        ca_certificate=cluster.ca_certificate,
        servers=servers,
        allocatable_cores=cores,
        allocatable_memory_gib=memory,
    )


def allocatable(
    cluster: ClusterSeen | None, servers: Mapping[ServerName, Member]
) -> tuple[float, float]:
    """What the kubelets of the workload servers offer to pods: cores, and GiB to two digits."""
    if cluster is None:
        return 0.0, 0.0
    nodes = [
        node
        for name, node in cluster.nodes.items()
        if name in servers and servers[name].role is Role.WORKER
    ]
    cores = round(sum(node.allocatable_cores for node in nodes), 2)
    return cores, round(sum(node.allocatable_memory_gib for node in nodes), 2)
