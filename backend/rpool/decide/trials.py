"""Which servers of a change try whether they reach each other, and at which ports. Pure.

Each that joins is tried with every control plane and with a few workers: what it costs grows with
those that join, and not with the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rpool.model.cni import OVERLAYS
from rpool.model.inspection import Port, Trial, Visit
from rpool.model.pool import PoolSpec
from rpool.model.server import Role, Roles, ServerName

WORKERS = 3
"""So many other workers each one is tried with."""

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
    """What each server does, by name: those that join, all control planes, and a few workers of the
    `members`.
    """
    heads = {name: role for name, role in members.items() if role is Role.CONTROL_PLANE}
    others = sorted(members.keys() - heads.keys())[:WORKERS]
    everybody = {**joining, **heads, **dict.fromkeys(others, Role.WORKER)}
    visits = {name: tuple(_visits(spec, name, joining, everybody)) for name in everybody}
    return {
        name: Trial(
            joins=joining.get(name),
            listens=_listens(spec, joining[name]) if name in joining else (),
            visits=visits[name],
            guests=tuple(
                (guest, visit.port)
                for guest, theirs in visits.items()
                for visit in theirs
                if visit.peer == name and not visit.served
            ),
            modules=(*MODULES, *_overlay_modules(spec)),
            asks_apt=minor(spec) >= CONTAINERD_2_SINCE,
        )
        for name in everybody
    }


def minor(spec: PoolSpec) -> int:
    return int(spec.kubernetes_version.split(".")[1])


def _visits(spec: PoolSpec, name: ServerName, joining: Roles, everybody: Roles) -> Iterator[Visit]:
    near = _near(name, [n for n, role in everybody.items() if role is Role.WORKER])
    heads = [n for n, role in everybody.items() if role is Role.CONTROL_PLANE]
    peers = [n for n in everybody if n in heads or n in near or name in heads]
    for peer in peers:
        if peer == name or not {peer, name} & joining.keys():
            continue
        served = peer not in joining
        for port in _ports(spec, everybody[name], everybody[peer]):
            if not served or port.protocol == "tcp":  # a service answers no datagram of ours
                yield Visit(peer, port, served)


def _near(name: ServerName, workers: Sequence[ServerName]) -> Sequence[ServerName]:
    """The workers that follow one, as in a ring."""
    if name not in workers:
        return ()
    at = workers.index(name) + 1
    return [*workers[at:], *workers[: at - 1]][:WORKERS]


def _ports(spec: PoolSpec, source: Role, target: Role) -> Iterator[Port]:
    """At which a server of the one role has to reach one of the other."""
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
    """All ports that something of the cluster's will listen on."""
    head = OF_A_CONTROL_PLANE if role is Role.CONTROL_PLANE else ()
    metallb = OF_METALLB if spec.metallb_pools else ()
    return (*head, *OF_ANY_NODE, *_overlay(spec), *metallb)


def _overlay(spec: PoolSpec) -> tuple[Port, ...]:
    overlay = OVERLAYS.get(spec.networking.cni)
    return (Port(overlay.udp_port, "udp"),) if overlay else ()


def _overlay_modules(spec: PoolSpec) -> tuple[str, ...]:
    overlay = OVERLAYS.get(spec.networking.cni)
    return overlay.modules if overlay else ()
