"""A site of modelled servers in memory: each action has its effect, by the real thing's rules.

A server remembers what a disk would; a join needs an API that serves, a token that is valid and the
CA that was pinned; etcd serves while a majority of its members runs; a claim is checked by every
action that changes something. What the rules refuse, the model refuses with the same errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import assert_never

from rpool.advice import Do
from rpool.certificates import ca_pin
from rpool.decide.quorum import majority
from rpool.errors import (
    Bug,
    CommandFailed,
    LockHeld,
    NotClaimed,
    Refused,
    RpoolError,
    TimedOut,
)
from rpool.model import action as act
from rpool.model.action import Action, Prepare
from rpool.model.claim import Phase
from rpool.model.pool import NodeSpec, PoolUid
from rpool.model.server import Role, ServerName
from rpool.model.step import News
from rpool.model.world import SessionLock
from rpool.simulate.looks import Looks
from rpool.simulate.machine import Cluster, Machine, foreign

_KEPT = (
    act.TakeClaim
    | act.NoteFailure
    | act.SetPhase
    | act.Prepare
    | act.Init
    | act.Join
    | act.Reset
    | act.AppendJournal
)
"""Actions that write to the server's own disk, or remove something from it."""


class SimulatedWorld(Looks):
    """See `rpool.model.world.World`. Any version of Kubernetes can be installed. `fleet` says which
    servers can be reached, `machines` what is on them.
    """

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        with self._guard:
            machine = self._reach(action.server)
            if not isinstance(action, act.Unowned):
                machine.check_claim(action.ownership)
                machine.enter_session(action.ownership.uid, action.ownership.session)
            if machine.unwritable and isinstance(action, _KEPT):
                summary = f"{action.doing} failed on {action.server}"
                raise CommandFailed(summary, f"its disk is {machine.unwritable} (simulated)")
            return self._effect(action, machine)

    def _effect(self, action: Action, machine: Machine) -> News:
        match action:
            case act.TakeClaim():
                self._take_claim(action, machine)
            case act.NoteFailure():
                machine.note(action)
            case act.SetPhase():
                self._set_phase(action, machine)
            case act.Prepare():
                machine.prepared_for = action.kubernetes_version
            case act.Init():
                self._init(action, machine)
            case act.Join():
                self._join(action, machine)
            case act.AdmitJoiners():
                self._serving(action.server).open(action.secrets, action.control_plane)
            case act.RevokeJoiners():
                self._serving(action.server).close()
            case act.ApplyNetwork():
                self._serving(action.server).install_network(action)
            case act.ApplyMetalLB():
                self._serving(action.server).install_metallb(action)
            case act.ConfigureMetalLB():
                self._configure_metallb(action)
            case act.WriteRecord():
                self._serving(action.server).write_record(action)
            case act.AwaitReady():
                self._await_ready(action)
            case act.RemoveMetalLB():
                self._serving(action.server).remove_metallb()
            case act.Drain():
                self._serving(action.server).drain(action.nodes)
            case act.Uncordon():
                self._serving(action.server).cordoned.discard(action.node)
            case act.SpreadDns():
                self._serving(action.server)  # no pods of the cluster's own are modelled
            case act.RestartKubelet():
                machine.start_kubelet()
            case act.Mend():
                machine.mend()
            case act.StepDown():
                self._step_down(machine, etcd=action.etcd)
            case act.RecoverEtcd():
                self._recover_etcd(machine)
            case act.RemoveEtcdMember():
                self._remove_etcd_member(action)
            case act.SetNode():
                self._serving(action.server).label(action)
            case act.DeleteNode():
                self._serving(action.server).delete_node(action.node)
            case act.Reset():
                return machine.reset()
            case act.AppendJournal():
                machine.journal.extend(action.lines)
            case _:
                assert_never(action)
        return ()

    @staticmethod
    def _take_claim(action: act.TakeClaim, machine: Machine) -> None:
        name, ownership = machine.server.name, action.claim.ownership
        machine.check_readable()
        current, over = machine.claim, action.over
        if current and over and (current.uid, current.epoch) == (over.uid, over.epoch):
            machine.check_domain(action.claim.trust)
            machine.claim = action.claim
        elif machine.claim is not None:
            machine.check_claim(ownership)
        elif over is not None:
            raise NotClaimed(f"{name} is not claimed (simulated)")
        elif machine.traces:
            raise Refused(f"{name} is not clean: {', '.join(machine.traces)} (simulated)")
        else:
            machine.check_not_aside()
            machine.check_domain(action.claim.trust)
        machine.enter_session(ownership.uid, ownership.session)
        if machine.claim is None:
            machine.claim, machine.news = action.claim, ()
        if machine.served is None:
            machine.served = machine.claim.trust

    @staticmethod
    def _set_phase(action: act.SetPhase, machine: Machine) -> None:
        if machine.claim is None:
            return
        if action.phase is Phase.MEMBER:
            machine.failures.clear()
        joined = machine.cluster if action.phase is Phase.MEMBER else None
        pin = machine.claim.ca_pin or (ca_pin(joined.ca) if joined else "")
        machine.claim = replace(machine.claim, phase=action.phase, ca_pin=pin)

    def _init(self, action: act.Init, machine: Machine) -> None:
        machine.check_prepared(action.spec.kubernetes_version)
        if machine.cluster is not None:
            return
        machine.check_no_member()
        cluster = Cluster.new(action.spec.kubernetes_version)
        cluster.open(action.secrets, action.spec.control_plane.servers > 1)
        machine.become(cluster, Role.CONTROL_PLANE)

    def _join(self, action: act.Join, machine: Machine) -> None:
        machine.check_prepared(action.spec.kubernetes_version)
        if machine.cluster is None:
            machine.check_no_member()
        cluster = self._serving(action.through)
        if machine.cluster is cluster:
            return
        role = Role.CONTROL_PLANE if action.control_plane else Role.WORKER
        cluster.admit(action.secrets, machine.server.name, role)
        if action.control_plane:
            self._check_namesake(cluster, machine.server.name)
            if not all(member.healthy for member in self.etcd_members(action.through)):
                raise CommandFailed(f"{machine.server.name}: etcd is not healthy (simulated)")
        machine.become(cluster, role)
        cluster.labelled[machine.server.name] = NodeSpec(action.labels, action.taints)

    @staticmethod
    def _step_down(machine: Machine, *, etcd: bool) -> None:
        if machine.prepared_for is None:
            raise CommandFailed(f"{machine.server.name}: crictl: not found (simulated)")
        machine.stepped_down = machine.role is Role.CONTROL_PLANE
        machine.etcd_ended = machine.etcd_ended or (etcd and machine.stepped_down)

    @staticmethod
    def _recover_etcd(machine: Machine) -> None:
        cluster, name = machine.cluster, machine.server.name
        if cluster is None or name not in cluster.members:
            raise CommandFailed(f"{name} has no data of etcd (simulated)")
        cluster.members = {name: cluster.members[name]}
        machine.stepped_down = machine.etcd_ended = False

    @staticmethod
    def _check_namesake(cluster: Cluster, name: ServerName) -> None:
        """kubeadm takes a member of etcd that has the server's address for its own, and with an
        empty disk that never starts.
        """
        if name in cluster.members:
            raise CommandFailed(f"{name}: its former member is still in etcd (simulated)")

    def _configure_metallb(self, action: act.ConfigureMetalLB) -> None:
        cluster = self._serving(action.server)
        spec = cluster.record.wanted or cluster.record.settled if cluster.record else None
        on_all = spec is not None and spec.control_plane.schedulable
        allowed = [n for n, role in cluster.nodes.items() if on_all or role is Role.WORKER]
        if not (cluster.metallb and any(self._runs(cluster, n) for n in allowed)):
            raise CommandFailed(f"{action.server}: MetalLB's webhook does not answer (simulated)")
        cluster.pools = dict(action.pools)

    def _remove_etcd_member(self, action: act.RemoveEtcdMember) -> None:
        """Remove the member with both this id and this name, if the rest keeps its quorum."""
        if not action.member_id:
            raise Bug(f"nobody looked up which member of etcd {action.member} is")
        cluster = self._etcd(action.server)
        expected = (action.member, action.member_id)
        matches = [m for m in cluster.members.items() if m[0] == expected[0] or m[1] == expected[1]]
        if not matches:
            return
        if matches != [expected]:
            raise CommandFailed(f"etcd has another member than {expected}: {matches} (simulated)")
        rest = cluster.members.keys() - {action.member}
        if len(self._running(cluster) & rest) < majority(len(rest)):
            raise CommandFailed(f"without {action.member} etcd would have no quorum (simulated)")
        del cluster.members[action.member]

    def _await_ready(self, action: act.AwaitReady) -> None:
        """Raises TimedOut for what is not Ready now: nothing in the model gets ready by itself."""
        try:
            nodes = self.observe(action.server).nodes
        except CommandFailed as error:
            raise TimedOut(error.summary) from error
        late = [name for name in action.nodes if name not in nodes or not nodes[name].ready]
        if late:
            raise TimedOut(f"not Ready: {', '.join(late)} (simulated)")

    def prepare(
        self,
        actions: Sequence[Prepare],
        timeout_seconds: float,
        done: Callable[[ServerName, RpoolError | None], None],
    ) -> None:
        for action in actions:
            try:
                self.carry_out(action, timeout_seconds)
            except RpoolError as error:
                done(action.server, error)
            else:
                done(action.server, None)

    # -- locking ---------------------------------------------------------------------------

    @contextmanager
    def lock(self, server: ServerName, uid: PoolUid) -> Iterator[SessionLock]:
        with self._guard:
            machine = self._reach(server)
            machine.check_readable()
            if machine.claim is not None and machine.claim.uid != uid:
                raise foreign(server, machine.claim)
            if (server, uid) in self._locks:
                raise LockHeld(f"cluster {uid} is locked on {server} (simulated)", Do.WAIT.text())
            self._locks.add((server, uid))
            lock = _Lock(machine.latest_session(uid), lambda: self._has_power(server))
        try:
            yield lock
        finally:
            lock.over = True
            with self._guard:
                self._locks.discard((server, uid))

    def _has_power(self, server: ServerName) -> bool:
        with self._guard:
            return self.machines[server].powered

    def close(self) -> None:
        pass


class _Lock:
    """Lost for good once it was released, or its server was seen without power."""

    def __init__(self, number: int, has_power: Callable[[], bool]) -> None:
        self.number = number
        self.over = False
        self._has_power = has_power

    def lost(self) -> bool:
        self.over = self.over or not self._has_power()
        return self.over
