"""Which servers of a change test whether they reach each other, and at which ports. Pure.

Each server that joins is tested with every control plane and a few workers, so the cost grows with
the number that join, not with the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rpool.model.cni import OVERLAYS
from rpool.model.inspection import Port, Trial, Visit
from rpool.model.pool import PoolSpec
from rpool.model.server import Role, Roles, ServerName

WORKERS = 3
"""The number of other workers that each server is tested with."""

API, KUBELET = Port(6443), Port(10250)
ETCD = (Port(2379), Port(2380))
OF_A_CONTROL_PLANE = (API, *ETCD, Port(2381), Port(10257), Port(10259))
OF_ANY_NODE = (KUBELET, Port(10248), Port(10249), Port(10256))
METALLB = (Port(7946), Port(7946, "udp"))
OF_METALLB = (*METALLB, Port(7472))
MODULES = ("overlay", "br_netfilter")
CONTAINERD_2_SINCE = 37
"""The minor version of Kubernetes that no longer runs with containerd 1."""


def trials(spec: PoolSpec, joining: Roles, members: Roles) -> dict[ServerName, Trial]:
    """What each server does in the inspection: those that join, all control planes, and a few
    workers of the `members`.
    """
    control_planes = {name: role for name, role in members.items() if role is Role.CONTROL_PLANE}
    others = sorted(members.keys() - control_planes.keys())[:WORKERS]
    roles = {**joining, **control_planes, **dict.fromkeys(others, Role.WORKER)}
    visits = {name: tuple(_visits(spec, name, joining, roles)) for name in roles}
    return {
        name: Trial(
            joins=joining.get(name),
            listens=_listens(spec, joining[name]) if name in joining else (),
            visits=visits[name],
            guests=tuple(
                (guest, visit.port)
                for guest, guest_visits in visits.items()
                for visit in guest_visits
                if visit.peer == name and not visit.served
            ),
            modules=(*MODULES, *_overlay_modules(spec)),
            asks_apt=minor(spec) >= CONTAINERD_2_SINCE,
        )
        for name in roles
    }


def minor(spec: PoolSpec) -> int:
    return int(spec.kubernetes_version.split(".")[1])


def _visits(spec: PoolSpec, name: ServerName, joining: Roles, roles: Roles) -> Iterator[Visit]:
    near = _near(name, [n for n, role in roles.items() if role is Role.WORKER])
    control_planes = [n for n, role in roles.items() if role is Role.CONTROL_PLANE]
    peers = [n for n in roles if n in control_planes or n in near or name in control_planes]
    for peer in peers:
        if peer == name or not {peer, name} & joining.keys():
            continue
        served = peer not in joining
        for port in _ports(spec, roles[name], roles[peer]):
            if not served or port.protocol == "tcp":  # no service answers our datagrams
                yield Visit(peer, port, served)


def _near(name: ServerName, workers: Sequence[ServerName]) -> Sequence[ServerName]:
    """The workers that follow `name` in a ring of all workers."""
    if name not in workers:
        return ()
    at = workers.index(name) + 1
    return [*workers[at:], *workers[: at - 1]][:WORKERS]


def _ports(spec: PoolSpec, source: Role, target: Role) -> Iterator[Port]:
    """The ports at which a server of role `source` must reach one of role `target`."""
    if target is Role.CONTROL_PLANE:
        yield API
        if source is Role.CONTROL_PLANE:
            yield from ETCD
    if source is Role.CONTROL_PLANE:
        yield KUBELET
    yield from _overlay(spec)
    if spec.metallb_pools:
        yield from METALLB


def _listens(spec: PoolSpec, role: Role) -> tuple[Port, ...]:
    """All ports that the cluster's processes will listen on."""
    control_plane = OF_A_CONTROL_PLANE if role is Role.CONTROL_PLANE else ()
    metallb = OF_METALLB if spec.metallb_pools else ()
    return (*control_plane, *OF_ANY_NODE, *_overlay(spec), *metallb)


def _overlay(spec: PoolSpec) -> tuple[Port, ...]:
    overlay = OVERLAYS.get(spec.networking.cni)
    return (Port(overlay.udp_port, "udp"),) if overlay else ()


def _overlay_modules(spec: PoolSpec) -> tuple[str, ...]:
    overlay = OVERLAYS.get(spec.networking.cni)
    return overlay.modules if overlay else ()
