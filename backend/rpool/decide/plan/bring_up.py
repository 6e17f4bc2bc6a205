"""Rung: servers are brought up, each from where it is.

A server is claimed, prepared, joined, and marked as a member. One play prepares all of them;
kubeadm starts on a server as soon as that server is prepared. Control planes join one at a time
(two at once race for etcd, kubeadm#2005), workers in parallel. What is already done is left out, so
the plan of an interrupted operation is what remains of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from rpool.advice import Do
from rpool.decide.node_spec import of_kubelet
from rpool.decide.plan.case import Case
from rpool.errors import Refused
from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.cni import NO_CNI
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName, names


def claims(case: Case) -> dict[ServerName, Step]:
    """The claims. Before there is a cluster, its control planes are claimed first: they hold the
    lock, so whoever finds any claim of the cluster can tell that an operation is at work.
    """
    steps = {
        name: Step(act.TakeClaim(name, _claim(case, name)), name)
        for name in case.coming
        if case.pool.claim(name) is None
    }
    if case.api_serves:
        return steps
    first = names(steps[name] for name in case.coming_control_planes if name in steps)
    others = steps.keys() - case.coming_control_planes
    return {n: replace(step, needs=first) if n in others else step for n, step in steps.items()}


def _claim(case: Case, name: ServerName) -> Claim:
    role = case.desired.roles[name]
    is_control_plane = role is Role.CONTROL_PLANE
    return Claim(
        uid=case.desired.uid,
        pool=case.spec.name,
        owner=case.operation.owner,
        role=role,
        phase=Phase.BOOTSTRAPPING,
        epoch=case.epoch,
        since=case.operation.since,
        server=name,
        machine_id=case.pool.seen[name].probed.machine_id,
        session=case.operation.session,
        group=case.desired.group(name),
        request=case.spec.digest,
        trust=case.spec.trust,
        vip=(is_control_plane and case.spec.control_plane.endpoint.vip) or "",
        ranges=tuple(chain.from_iterable(case.spec.metallb_pools.values()))
        if is_control_plane
        else (),
    )


@dataclass(frozen=True)
class BringUp:
    """The steps that bring up servers, after their `claims`. `dead` are the steps that take dead
    members out of etcd: kubeadm joins no control plane while etcd has any.
    """

    case: Case
    claims: Mapping[ServerName, Step]
    dead: frozenset[StepName]

    @cached_property
    def steps(self) -> list[Step]:
        """All steps in order, after the claims and without the waits for readiness."""
        return [
            *self._prepare.values(),
            *self.opening,
            *self.joins,
            *self._unmarked,
            *self._restarts,
        ]

    @cached_property
    def _unjoined(self) -> list[ServerName]:
        return [name for name in self.case.coming if not self.case.pool.has_joined(name)]

    @cached_property
    def _prepare(self) -> dict[ServerName, Step]:
        """The preparation of each server. Before there is a cluster, all are claimed first."""
        case, spec = self.case, self.case.spec
        claimed = names(self.claims.values())
        steps = {}
        for name in self._unjoined:
            server = case.fleet.servers[name]
            prepare = act.Prepare(
                name,
                case.ours(name),
                spec.kubernetes_version,
                spec.kubeadm,
                spec.networking.cni,
                server.cores,
                server.memory_gib,
            )
            own_claim = names([self.claims[name]] if name in self.claims else [])
            steps[name] = Step(prepare, name, own_claim if case.api_serves else claimed)
        return steps

    @cached_property
    def opening(self) -> list[Step]:
        """The steps that let servers join: the first control plane, or a token where one serves."""
        through, case = self.case.through, self.case
        through_leaves = case.api_serves and through not in case.desired.roles
        if case.pool.has_joined(through) or through_leaves:
            planes = any(name in case.coming_control_planes for name in self._unjoined)
            admit = act.AdmitJoiners(through, case.ours(through), act.NOT_DRAWN, planes)
            return [Step(admit)] if self._unjoined else []
        claim = case.pool.claim(through)
        if through not in self._prepare or (claim is not None and not claim.is_joining):
            raise Refused(
                f"{through} is a control plane of cluster {case.spec.name}, but nothing there "
                "says that kubeadm finished (/var/lib/rpool/joined is missing)",
                "No new control plane is created where one may be serving. Nothing was changed. "
                + Do.PUT_MARK_BACK.text(server=through),
            )
        init = act.Init(
            through, case.ours(through), case.fleet.servers[through], case.spec, act.NOT_DRAWN
        )
        first = Step(init, through, frozenset({self._prepare[through].name}))
        return [first, self._member(through, first.name)]

    @property
    def opened(self) -> frozenset[StepName]:
        """The step after which the API serves and servers can join, if one is needed."""
        return names(self.opening[:1])

    @cached_property
    def joins(self) -> list[Step]:
        steps: list[Step] = []
        turn = self.opened
        control_planes = self.case.coming_control_planes
        for name in self._unjoined:
            if name in control_planes and name != self.case.through:
                leave_etcd = self._out_of_etcd(name, turn)
                join = self._join(name, turn | self.dead | names(leave_etcd))
                steps += [*leave_etcd, *join]
                turn = self.opened | names(join[:1])
        for name in self._unjoined:
            if name not in control_planes:
                steps += self._join(name, self.opened)
        return steps

    def _join(self, name: ServerName, needs: frozenset[StepName]) -> list[Step]:
        case = self.case
        join = act.Join(
            name,
            case.ours(name),
            case.fleet.servers[name],
            case.spec,
            act.NOT_DRAWN,
            control_plane=name in case.coming_control_planes,
            through=case.through,
            taints=case.node(name).taints,
            labels=of_kubelet(case.node(name).labels),
        )
        joined = Step(join, name, needs | {self._prepare[name].name})
        return [joined, self._member(name, joined.name)]

    def _out_of_etcd(self, name: ServerName, turn: frozenset[StepName]) -> list[Step]:
        """The removal of an etcd member that an earlier attempt, or an earlier life of the server,
        left. kubeadm would take it for the new one, which never starts with an empty disk.

        Where kubeadm has ended, the member is the new one, and stays.
        """
        case = self.case
        if not case.api_serves or case.kubeadm_ended(name):
            return []
        through, address = case.through, case.fleet.servers[name].address
        remove = act.RemoveEtcdMember(through, case.ours(through), name, address=address)
        needs = turn | self.dead | {self._prepare[name].name}
        return [Step(remove, name, needs, verb="former member")]

    @property
    def _unmarked(self) -> list[Step]:
        """Marks as members the servers that joined before an operation was cut off."""
        case = self.case
        return [
            self._member(name)
            for name in case.coming
            if (claim := case.pool.claim(name)) and claim.is_joining and case.pool.has_joined(name)
        ]

    def _member(self, name: ServerName, after: StepName | None = None) -> Step:
        phase = act.SetPhase(name, self.case.ours(name), Phase.MEMBER)
        return Step(phase, name, frozenset({after} if after else ()))

    @cached_property
    def _restarts(self) -> list[Step]:
        """Restarts of joined kubelets whose Node is missing: they register it again."""
        case = self.case
        return [
            Step(act.RestartKubelet(name, case.ours(name)), name)
            for name in case.coming
            if case.api_serves and case.pool.has_joined(name) and name not in case.pool.nodes
        ]

    def readiness(self, needs: frozenset[StepName], servers: Iterable[ServerName]) -> list[Step]:
        """Waits until the Nodes of `servers` are Ready; none where the user installs the CNI."""
        case = self.case
        if case.spec.networking.cni == NO_CNI:
            return []
        before = {step.about: names([step]) for step in [*self._kubeadm_joins, *self._restarts]}
        return [
            Step(act.AwaitReady(case.through, (name,)), name, needs | before.get(name, frozenset()))
            for name in servers
        ]

    @property
    def _kubeadm_joins(self) -> list[Step]:
        return [step for step in self.joins if isinstance(step.action, act.Join)]

    def revoke(self) -> list[Step]:
        """Revokes the join token after all joins, or one that an earlier operation left."""
        case = self.case
        if not (self.opening or case.pool.open_to_joiners):
            return []
        revoke = act.RevokeJoiners(case.through, case.ours(case.through), act.NOT_DRAWN)
        return [Step(revoke, needs=self.opened, after=names(self._kubeadm_joins))]
