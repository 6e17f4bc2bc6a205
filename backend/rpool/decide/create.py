"""The steps that make a pool out of placed servers, from whatever stage they are at.

The order is in `needs` alone: preparation of all servers runs as one, kubeadm starts on a server as
soon as that server is prepared, control planes join one at a time (two at once race for etcd,
kubeadm#2005), workers all together. Steps that were seen done are left out, so the plan of an
interrupted create is what is left of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rpool.model.action import (
    AdmitJoiners,
    ApplyMetalLB,
    ApplyNetwork,
    AwaitReady,
    ConfigureMetalLB,
    Init,
    Join,
    JoinSecrets,
    Prepare,
    RevokeJoiners,
    SetPhase,
    TakeClaim,
    WriteRecord,
)
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.record import Member, Record, RecordPhase
from rpool.model.seen import Probed
from rpool.model.server import Role, Server, ServerName
from rpool.model.step import Step, StepName


@dataclass(frozen=True, slots=True)
class Creation:
    """A pool that is being made: who it is, on which servers, and what lets servers join."""

    uid: PoolUid
    spec: PoolSpec
    servers: Mapping[ServerName, Server]
    roles: Mapping[ServerName, Role]
    owner: str
    since: str
    secrets: JoinSecrets
    epoch: int = 1

    @property
    def ownership(self) -> Ownership:
        return Ownership(self.uid, self.epoch)

    def with_role(self, role: Role) -> list[ServerName]:
        return [name for name, its in self.roles.items() if its is role]

    def claim(self, server: ServerName) -> Claim:
        return Claim(
            uid=self.uid,
            pool=self.spec.name,
            owner=self.owner,
            role=self.roles[server],
            phase=Phase.BOOTSTRAPPING,
            epoch=self.epoch,
            since=self.since,
        )

    def record(self, phase: RecordPhase) -> Record:
        return Record(
            uid=self.uid,
            name=self.spec.name,
            kubernetes_version=self.spec.kubernetes_version,
            cores=self.spec.cores,
            memory_gib=self.spec.memory_gib,
            generation=self.epoch,
            phase=phase,
            members=self.members(),
        )

    def members(self) -> dict[ServerName, Member]:
        return {name: self._member(name) for name in self.roles}

    def _member(self, name: ServerName) -> Member:
        server = self.servers[name]
        return Member(
            self.roles[name], server.address, server.zone, server.cores, server.memory_gib
        )


def plan_create(creation: Creation, seen: Mapping[ServerName, Probed]) -> list[Step]:
    """All steps from what was seen to a settled pool; `seen` has every placed server."""
    control_planes = sorted(
        creation.with_role(Role.CONTROL_PLANE), key=lambda name: not seen[name].joined
    )
    first = control_planes[0]
    up = _ServersUp(creation, seen, first)
    steps = [*up.claims(), *up.preparations(), *up.first(), *up.joins(control_planes[1:])]
    return [*steps, *_cluster_steps(creation, first, steps)]


def claim_step(creation: Creation, name: ServerName) -> Step:
    return Step(f"claim {name}", name, TakeClaim(name, creation.claim(name)))


@dataclass(frozen=True, slots=True)
class _ServersUp:
    """The steps about single servers."""

    creation: Creation
    seen: Mapping[ServerName, Probed]
    first_name: ServerName

    def claims(self) -> list[Step]:
        return [
            claim_step(self.creation, name)
            for name in self.creation.roles
            if not self.seen[name].claim
        ]

    def preparations(self) -> list[Step]:
        """They wait for all claims: a create that cannot have its servers should change none."""
        claims = frozenset(step.name for step in self.claims())
        return [
            Step(f"prepare {name}", name, self._prepare(name), claims)
            for name in self.creation.roles
            if not self.seen[name].joined
        ]

    def _prepare(self, name: ServerName) -> Prepare:
        server, spec = self.creation.servers[name], self.creation.spec
        return Prepare(
            name,
            self.creation.ownership,
            spec.kubernetes_version,
            spec.kubeadm,
            server.cores,
            server.memory_gib,
        )

    def first(self) -> list[Step]:
        """kubeadm init, or a fresh admission of joiners where that was done before."""
        name, creation = self.first_name, self.creation
        if self.seen[name].joined:
            admit = AdmitJoiners(name, creation.ownership, creation.secrets)
            return [Step("admit joiners", name, admit)]
        init = Init(
            name, creation.ownership, creation.servers[name], creation.spec, creation.secrets
        )
        return [
            Step(f"init {name}", name, init, frozenset({f"prepare {name}"})),
            self._member(name, f"init {name}"),
        ]

    def joins(self, others: list[ServerName]) -> list[Step]:
        open_door = "admit joiners" if self.seen[self.first_name].joined else self._init_name
        steps: list[Step] = []
        before = open_door
        for name in others:
            if not self.seen[name].joined:
                steps += self._join(name, control_plane=True, after={open_door, before})
                before = f"join {name}"
        for name in self.creation.with_role(Role.WORKER):
            if not self.seen[name].joined:
                steps += self._join(name, control_plane=False, after={open_door})
        return steps

    @property
    def _init_name(self) -> StepName:
        return f"init {self.first_name}"

    def _join(self, name: ServerName, *, control_plane: bool, after: set[StepName]) -> list[Step]:
        creation = self.creation
        join = Join(
            name,
            creation.ownership,
            creation.servers[name],
            creation.spec,
            creation.secrets,
            control_plane,
            via=self.first_name,
        )
        needs = frozenset(after | {f"prepare {name}"})
        return [Step(f"join {name}", name, join, needs), self._member(name, f"join {name}")]

    def _member(self, name: ServerName, after: StepName) -> Step:
        action = SetPhase(name, self.creation.ownership, Phase.MEMBER)
        return Step(f"member {name}", name, action, frozenset({after}))


def _cluster_steps(creation: Creation, first: ServerName, servers_up: list[Step]) -> list[Step]:
    """The steps about the cluster as a whole, all carried out through control plane `first`."""
    spec, ours = creation.spec, creation.ownership
    up = {step.name for step in servers_up}
    serving = frozenset(up & {f"init {first}", "admit joiners"})
    joins = frozenset(name for name in up if name.startswith("join "))
    applying = WriteRecord(first, ours, creation.record(RecordPhase.APPLYING))
    revoke = RevokeJoiners(first, ours, creation.secrets)
    steps = [
        Step("record applying", first, applying, serving),
        *_network(creation, first, serving),
        *_metallb(creation, first, serving, joins),
        Step("revoke joiners", first, revoke, serving, after=joins),
    ]
    if spec.networking.cni != "none":  # without a CNI no node turns Ready: the user's to bring
        for name in creation.roles:
            needs = serving | {"network"} | (joins & {f"join {name}"})
            steps.append(Step(f"ready {name}", first, AwaitReady(first, (name,)), needs))
    settled = WriteRecord(first, ours, creation.record(RecordPhase.SETTLED))
    everything = frozenset(up | {step.name for step in steps})
    return [*steps, Step("record settled", first, settled, everything)]


def _network(creation: Creation, first: ServerName, serving: frozenset[StepName]) -> list[Step]:
    networking = creation.spec.networking
    if networking.cni == "none":
        return []
    return [
        Step(
            "network",
            first,
            ApplyNetwork(first, creation.ownership, networking.pod_cidr),
            serving,
        )
    ]


def _metallb(
    creation: Creation,
    first: ServerName,
    serving: frozenset[StepName],
    joins: frozenset[StepName],
) -> list[Step]:
    """Its pools come once a worker is in: before that its webhook has nowhere to run."""
    pools = creation.spec.metallb_pools
    if not pools:
        return []
    worker = {f"join {name}" for name in creation.with_role(Role.WORKER)[:1]}
    configure = ConfigureMetalLB(first, creation.ownership, pools)
    return [
        Step("metallb", first, ApplyMetalLB(first, creation.ownership), serving),
        Step("metallb pools", first, configure, frozenset({"metallb"} | (worker & joins))),
    ]
