"""From a case to the plan that the engine makes of it."""

from __future__ import annotations

from collections.abc import Mapping

from plan.cluster import UID, Facts, facts
from plan.table import Case, Labels, Spec
from rpool.decide import plan as ladder
from rpool.decide.plan import Plan
from rpool.model.desired import Desired, Operation
from rpool.model.observed import Api, Observed
from rpool.model.pool import (
    ControlPlane,
    DrainPolicy,
    Endpoint,
    Networking,
    NodeSpec,
    OnTimeout,
    PoolSpec,
    Taint,
)
from rpool.model.record import Member, Record
from rpool.model.seen import ClusterSeen, EtcdMember
from rpool.model.server import Fleet, Role, ServerName

OPERATION = Operation("c0ffee", "ann", "2026-01-02", 7)


def planned(case: Case) -> Plan:
    """Raises as the ladder does."""
    return ladder.plan(*situation(case))


def situation(case: Case) -> tuple[Desired, Observed, Operation, Fleet]:
    servers = [facts(n, i + 1, words) for i, (n, words) in enumerate(case.servers.items())]
    fleet = Fleet({s.name: s.server() for s in servers})
    return _desired(case), _observed(case, servers), OPERATION, fleet


def _observed(case: Case, servers: list[Facts]) -> Observed:
    record = _record(case, servers)
    asked = [s for s in servers if s.asked]
    sightings = {s.name: s.sighting() for s in asked if not s.silent}
    silent = {s.name: s.error() for s in asked if s.silent}
    return Observed(UID, _api(case, servers, record), record, sightings, silent)


def _record(case: Case, servers: list[Facts]) -> Record | None:
    row = case.record
    if row is None:
        return None
    members = {s.name: Member.of(s.server(), s.role) for s in servers if s.recorded or s.pinned}
    pinned = {s.name: _node(case.labelled, s.name) for s in servers if s.pinned}
    return Record(
        uid=UID,
        change=OPERATION.change if row.ours else "0badf00d",
        generation=1,
        session=OPERATION.session if row.ours else 3,
        settled=_spec(row.settled, servers),
        wanted=_spec(row.wanted, servers),
        members=members,
        pinned=pinned,
    )


def _spec(row: Spec | None, servers: list[Facts]) -> PoolSpec | None:
    """An earlier request, with as many control planes as there are."""
    if row is None:
        return None
    return spec(row, sum(s.is_control_plane and s.recorded for s in servers))


def _api(case: Case, servers: list[Facts], record: Record | None) -> Api | None:
    row = case.api
    through = next((s.name for s in servers if s.serves), None) if row else None
    if row is None or (through is None and row.through is None):
        return None
    nodes = {s.name: s.node_seen() for s in servers if s.node}
    cluster = ClusterSeen(nodes, record, "PEM", row.metallb, row.tokens)
    return Api(row.through or through or "", cluster, _etcd(row.etcd, servers))


def _etcd(others: Mapping[str, str] | None, servers: list[Facts]) -> tuple[EtcdMember, ...] | None:
    if others is None:
        return None
    own = [member for s in servers if (member := s.member()) is not None]
    strangers = [
        EtcdMember(f"f{i}", name, votes=True, healthy=state == "alive")
        for i, (name, state) in enumerate(others.items())
    ]
    return (*own, *strangers)


def _desired(case: Case) -> Desired:
    wish = case.desired
    pinned = {name: _node(wish.pinned, name) for name in wish.pinned}
    roles = dict.fromkeys(wish.control_planes, Role.CONTROL_PLANE)
    roles |= dict.fromkeys([*wish.workers, *pinned], Role.WORKER)
    wanted, given_up = spec(wish, len(wish.control_planes)), frozenset(wish.given_up)
    return Desired(UID, wanted, roles, pinned, wish.one, given_up)


def spec(row: Spec, control_planes: int) -> PoolSpec:
    return PoolSpec(
        name=row.name,
        kubernetes_version="1.36.3",
        cores=8,
        memory_gib=16,
        control_plane=ControlPlane(control_planes, Endpoint(address="api.example.org:6443")),
        networking=Networking(cni=row.cni),
        metallb_pools={"default": (row.metallb,)} if row.metallb else {},
        drain=DrainPolicy(600, OnTimeout(row.drain)),
        trust=row.trust,
    )


def _node(nodes: Mapping[ServerName, Labels], name: ServerName) -> NodeSpec:
    row = nodes.get(name, Labels())
    taints = tuple(Taint(*_taint(text)) for text in row.taints)
    return NodeSpec(row.labels, taints)


def _taint(text: str) -> tuple[str, str, str]:
    """`key=value:effect`, as kubectl has it."""
    key, _, rest = text.partition("=")
    value, _, effect = rest.partition(":")
    return key, value, effect
