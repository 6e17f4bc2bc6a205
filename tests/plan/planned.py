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
    fleet = Fleet({its.name: its.server() for its in servers})
    return _desired(case), _observed(case, servers), OPERATION, fleet


def _observed(case: Case, servers: list[Facts]) -> Observed:
    record = _record(case, servers)
    asked = [its for its in servers if its.asked]
    seen = {its.name: its.sighting() for its in asked if not its.silent}
    silent = {its.name: its.error() for its in asked if its.silent}
    return Observed(UID, _api(case, servers, record), record, seen, silent)


def _record(case: Case, servers: list[Facts]) -> Record | None:
    said = case.record
    if said is None:
        return None
    members = {
        its.name: Member.of(its.server(), its.role) for its in servers if its.recorded or its.pinned
    }
    pinned = {its.name: _node(case.labelled, its.name) for its in servers if its.pinned}
    return Record(
        uid=UID,
        change=OPERATION.change if said.ours else "0badf00d",
        generation=1,
        session=OPERATION.session if said.ours else 3,
        settled=_spec(said.settled, servers),
        wanted=_spec(said.wanted, servers),
        members=members,
        pinned=pinned,
    )


def _spec(said: Spec | None, servers: list[Facts]) -> PoolSpec | None:
    """A request of before: it had as many control planes as there are."""
    if said is None:
        return None
    return spec(said, sum(its.is_control_plane and its.recorded for its in servers))


def _api(case: Case, servers: list[Facts], record: Record | None) -> Api | None:
    said = case.api
    through = next((its.name for its in servers if its.serves), None) if said else None
    if said is None or (through is None and said.through is None):
        return None
    nodes = {its.name: its.node_seen() for its in servers if its.node}
    cluster = ClusterSeen(nodes, record, "PEM", said.metallb, said.tokens)
    return Api(said.through or through or "", cluster, _etcd(said.etcd, servers))


def _etcd(others: Mapping[str, str] | None, servers: list[Facts]) -> tuple[EtcdMember, ...] | None:
    if others is None:
        return None
    own = [member for its in servers if (member := its.member()) is not None]
    strange = [
        EtcdMember(f"f{i}", name, votes=True, healthy=state == "alive")
        for i, (name, state) in enumerate(others.items())
    ]
    return (*own, *strange)


def _desired(case: Case) -> Desired:
    its = case.desired
    pinned = {name: _node(its.pinned, name) for name in its.pinned}
    roles = dict.fromkeys(its.control_planes, Role.CONTROL_PLANE)
    roles |= dict.fromkeys([*its.workers, *pinned], Role.WORKER)
    wanted, given_up = spec(its, len(its.control_planes)), frozenset(its.given_up)
    return Desired(UID, wanted, roles, pinned, its.one, given_up)


def spec(said: Spec, control_planes: int) -> PoolSpec:
    return PoolSpec(
        name=said.name,
        kubernetes_version="1.36.3",
        cores=8,
        memory_gib=16,
        control_plane=ControlPlane(control_planes, Endpoint(address="api.example.org:6443")),
        networking=Networking(cni=said.cni),
        metallb_pools={"default": (said.metallb,)} if said.metallb else {},
        drain=DrainPolicy(600, OnTimeout(said.drain)),
        trust=said.trust,
    )


def _node(nodes: Mapping[ServerName, Labels], name: ServerName) -> NodeSpec:
    its = nodes.get(name, Labels())
    taints = tuple(Taint(*_taint(text)) for text in its.taints)
    return NodeSpec(its.labels, taints)


def _taint(text: str) -> tuple[str, str, str]:
    """`key=value:effect`, as kubectl has it."""
    key, _, rest = text.partition("=")
    value, _, effect = rest.partition(":")
    return key, value, effect
