"""Servers on their way into a pool: claimed, prepared, joined, from whatever stage they are at.

The order is in `needs` alone: preparation of all servers runs as one, kubeadm starts on a server as
soon as that server is prepared, control planes join one at a time (two at once race for etcd,
kubeadm#2005), workers all together. Steps that were seen done are left out, so the plan of an
interrupted change is what is left of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rpool.errors import Refused
from rpool.model.action import (
    AdmitJoiners,
    AwaitReady,
    Init,
    Join,
    JoinSecrets,
    Prepare,
    RemoveEtcdMember,
    RestartKubelet,
    SetPhase,
    TakeClaim,
)
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.pool import PoolSpec, PoolUid, Taint
from rpool.model.record import Member
from rpool.model.seen import Probed
from rpool.model.server import Role, Server, ServerName
from rpool.model.step import Step, StepName

ADMIT = "admit joiners"


@dataclass(frozen=True, slots=True)
class Joining:
    """A pool, the servers that are to be in it (`roles`), and what lets them in. `change` is the id
    of this change, which no other has.

    New claims have this `epoch`; a server that has a claim of the pool already keeps its own.
    """

    uid: PoolUid
    spec: PoolSpec
    servers: Mapping[ServerName, Server]
    roles: Mapping[ServerName, Role]
    owner: str
    since: str
    secrets: JoinSecrets
    change: str
    epoch: int = 1
    taints: Mapping[ServerName, tuple[Taint, ...]] = field(default_factory=dict)

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

    def ownership(self, server: ServerName, seen: Mapping[ServerName, Probed]) -> Ownership:
        """What our claim on the server says, or will say. Raises Refused when it has another's: a
        guard that was given a foreign claim's uid would find nothing amiss.
        """
        claim = seen[server].claim
        if claim is not None and claim.uid != self.uid:
            raise Refused(
                f"{server} is claimed by pool {claim.pool} (uid {claim.uid}), not by {self.uid}",
                "Nothing was done there.",
            )
        return claim.ownership if claim else Ownership(self.uid, self.epoch)

    def members(self) -> dict[ServerName, Member]:
        return {name: member(self.servers[name], role) for name, role in self.roles.items()}


def member(server: Server, role: Role) -> Member:
    return Member(role, server.address, server.zone, server.cores, server.memory_gib)


def claim_step(joining: Joining, name: ServerName) -> Step:
    return Step(f"claim {name}", name, TakeClaim(name, joining.claim(name)))


@dataclass(frozen=True, slots=True)
class ServersUp:
    """The steps about single servers. `via` is the control plane that the others join through: one
    that serves already, or the first to be. `all_or_none`: no server is changed before all have
    been claimed. `nodeless` ones have joined, but their Node was deleted.
    """

    joining: Joining
    seen: Mapping[ServerName, Probed]
    via: ServerName
    all_or_none: bool = True
    nodeless: frozenset[ServerName] = frozenset()

    def steps(self) -> list[Step]:
        """Claims, preparations, init or admission, joins; the first is missing where it is done."""
        joins = self._joins()
        opening = [] if self.via_serves and not joins else self._opening()
        return [
            *self._claims(),
            *self._preparations(),
            *opening,
            *joins,
            *self._unmarked(),
            *self._restarts(),
        ]

    @property
    def via_serves(self) -> bool:
        return self.seen[self.via].joined

    @property
    def opening_name(self) -> StepName:
        """The step from which on servers can join."""
        return ADMIT if self.via_serves else f"init {self.via}"

    def _claims(self) -> list[Step]:
        return [
            claim_step(self.joining, name)
            for name in self.joining.roles
            if not self.seen[name].claim
        ]

    def _unjoined(self, role: Role | None = None) -> list[ServerName]:
        roles = self.joining.roles.items()
        return [n for n, r in roles if role in (None, r) and not self.seen[n].joined]

    def _preparations(self) -> list[Step]:
        claims = {step.server: step.name for step in self._claims()}
        everybody = frozenset(claims.values())
        return [
            Step(
                f"prepare {name}",
                name,
                self._prepare(name),
                everybody if self.all_or_none else everybody & {claims.get(name, "")},
            )
            for name in self._unjoined()
        ]

    def _prepare(self, name: ServerName) -> Prepare:
        server, spec = self.joining.servers[name], self.joining.spec
        return Prepare(
            name,
            self._ours(name),
            spec.kubernetes_version,
            spec.kubeadm,
            spec.networking.cni,
            server.cores,
            server.memory_gib,
        )

    def _opening(self) -> list[Step]:
        name, joining = self.via, self.joining
        if self.via_serves:
            return [Step(ADMIT, name, AdmitJoiners(name, self._ours(name), joining.secrets))]
        if (claim := self.seen[name].claim) and not claim.is_joining:
            raise Refused(
                f"{name} is {claim.phase.value} of pool {joining.spec.name}, but nothing there "
                "says that kubeadm finished (/var/lib/rpool/joined is missing)",
                "A new control plane is not begun where one may serve. Put the file back with the "
                "word control_plane in it, or mark the server lost = true in the fleet. Nothing "
                "was changed.",
            )
        init = Init(name, self._ours(name), joining.servers[name], joining.spec, joining.secrets)
        prepared = frozenset({f"prepare {name}"})
        return [Step(f"init {name}", name, init, prepared), self._member(name, f"init {name}")]

    def _joins(self) -> list[Step]:
        steps: list[Step] = []
        before = self.opening_name
        for name in self._unjoined(Role.CONTROL_PLANE):
            if name != self.via:
                turn = {self.opening_name, before}
                leave = self._out_of_etcd(name, turn)
                steps += [*leave, *self._join(name, after=turn | {step.name for step in leave})]
                before = f"join {name}"
        for name in self._unjoined(Role.WORKER):
            steps += self._join(name, after={self.opening_name})
        return steps

    def _out_of_etcd(self, name: ServerName, turn: set[StepName]) -> list[Step]:
        """A member that an earlier attempt or an earlier life of the server left in etcd: kubeadm
        would take it for the new one, which never starts with an empty disk. Where kubeadm has
        ended the member is the new one, and the join only adds what comes after it.
        """
        if self.all_or_none or self.seen[name].kubeadm_ended:
            return []
        address = self.joining.servers[name].address
        action = RemoveEtcdMember(self.via, self._ours(self.via), name, address=address)
        needs = frozenset(turn | {f"prepare {name}"})
        return [Step(f"former member {name}", name, action, needs)]

    def _restarts(self) -> list[Step]:
        return [
            Step(f"restart kubelet {name}", name, RestartKubelet(name, self._ours(name)))
            for name in self.joining.roles
            if name in self.nodeless
        ]

    def _unmarked(self) -> list[Step]:
        """Servers that joined before a change was cut off, and have yet to be called members."""
        return [
            self._member(name, None)
            for name in self.joining.roles
            if (claim := self.seen[name].claim) and claim.is_joining and self.seen[name].joined
        ]

    def _join(self, name: ServerName, after: set[StepName]) -> list[Step]:
        joining = self.joining
        join = Join(
            name,
            self._ours(name),
            joining.servers[name],
            joining.spec,
            joining.secrets,
            control_plane=joining.roles[name] is Role.CONTROL_PLANE,
            via=self.via,
            taints=joining.taints.get(name, ()),
        )
        needs = frozenset(after | {f"prepare {name}"})
        return [Step(f"join {name}", name, join, needs), self._member(name, f"join {name}")]

    def _member(self, name: ServerName, after: StepName | None) -> Step:
        action = SetPhase(name, self._ours(name), Phase.MEMBER)
        return Step(f"member {name}", name, action, frozenset({after} if after else ()))

    def _ours(self, name: ServerName) -> Ownership:
        return self.joining.ownership(name, self.seen)

    def readiness(self, needs: frozenset[StepName]) -> list[Step]:
        """Waits for the nodes of `roles`; without a CNI none turns Ready: the user's to bring."""
        if self.joining.spec.networking.cni == "none":
            return []
        before = {f"join {name}" for name in self._unjoined() if name != self.via}
        before |= {step.name for step in self._restarts()}
        return [
            Step(
                f"ready {name}",
                self.via,
                AwaitReady(self.via, (name,)),
                needs | (before & {f"join {name}", f"restart kubelet {name}"}),
            )
            for name in self.joining.roles
        ]
