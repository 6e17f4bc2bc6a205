"""The world of a schedule: modelled servers, faults at chosen actions, and rules checked at each.

Steps come in turn, so that a seed means one run: an action that changes something is counted, and a
fault is due at the n-th of an operation. What fired is counted by kind; a run in which too little
happened proves nothing.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from rpool.errors import CommandFailed, OutcomeUnknown, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.action import Action, Prepare
from rpool.model.claim import Fence, Phase
from rpool.model.inspection import Inspected, Trial
from rpool.model.pool import PoolUid
from rpool.model.secret import Secret
from rpool.model.seen import ClusterSeen, EtcdMember, PackagesSeen, Probed
from rpool.model.server import Role, ServerName
from rpool.model.step import News
from rpool.model.world import SessionLock
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.world import SimulatedWorld


class Fault(StrEnum):
    """What can happen at an action."""

    KILLED_BEFORE = "the plugin is killed before it"
    KILLED_AFTER = "the plugin is killed after it, and what came of it is lost"
    LATE = "the plugin is killed as it runs; it goes on there by itself"
    CUT_BEFORE = "contact with the server breaks before it, for the rest of the operation"
    CUT_AFTER = "contact with the server breaks after it, for the rest of the operation"
    UNKNOWN_DONE = "its answer is lost; it was done"
    UNKNOWN_NOT_DONE = "its answer is lost; it was not done"
    FAILS = "it fails"
    STOPPED = "the user presses Ctrl-C after it"
    LOCK_LOST = "the session locks are lost before it"
    POWER_LOST = "some server loses power before it"
    LOOKS_REFUSED = "from it on the API refuses three looks"
    SECOND_OPERATOR = "another operator applies something before it"


QUIET = (act.AppendJournal, act.AwaitReady)
"""Actions that change nothing that counts."""


@dataclass
class Lock:
    number: int
    lost_: Callable[[], bool]

    def lost(self) -> bool:
        return self.lost_()


@dataclass(frozen=True, eq=False)
class _Late:
    """An action that goes on by itself, the cluster it joins, and what was being destroyed."""

    action: Action
    cluster: Cluster | None
    dying: frozenset[PoolUid]


class Fate:
    """The port `rpool.model.world.World` before modelled servers; each effect is judged."""

    at_once = 1

    def __init__(self, world: SimulatedWorld, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.fired: Counter[Fault] = Counter()
        self.broken: list[str] = []
        self.dying: set[PoolUid] = set()
        self.second: Callable[[], None] = lambda: None
        self.history: list[str] = []
        self._late: list[_Late] = []
        self._turn = threading.RLock()
        self._drained: set[tuple[int, ServerName]] = set()  # by identity of the cluster
        self._members: set[ServerName] = set()
        self.begin({})

    def begin(self, due: dict[int, Fault]) -> threading.Event:
        """A new operation with these faults, by the number of the action. Returns its stop."""
        self._due = due
        self._count = 0
        self._dead = False
        self._cut: set[ServerName] = set()
        self._locks_lost = False
        self._refused = 0
        self._stop = threading.Event()
        return self._stop

    # -- looking -------------------------------------------------------------------------------

    def _contact(self, server: ServerName) -> None:
        if self._dead or server in self._cut:
            raise Unreachable(f"no contact with {server}")

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        self._contact(server)
        if fence is None:
            return self.world.probe(server)
        with self._turn:
            self.history.append(f"    fence of session {fence.session} [{server}]")
            self._await_late(server)
            return self.world.probe(server, fence)

    def address_answers(self, via: ServerName, address: str) -> bool:
        self._contact(via)
        return self.world.address_answers(via, address)

    def reaches_api(self, server: ServerName) -> bool:
        self._contact(server)
        return self.world.reaches_api(server)

    def kubernetes_packages(self, via: ServerName, minor: str) -> PackagesSeen:
        self._contact(via)
        return self.world.kubernetes_packages(via, minor)

    def inspect(self, server: ServerName, trial: Trial) -> Inspected:
        self._contact(server)
        return self.world.inspect(server, trial)

    def observe(self, via: ServerName) -> ClusterSeen:
        self._contact(via)
        with self._turn:
            if self._refused:
                self._refused -= 1
                raise CommandFailed(f"{via}: the connection to the server was refused")
        return self.world.observe(via)

    def encryption(self, via: ServerName) -> Secret:
        self._contact(via)
        return self.world.encryption(via)

    def etcd_members(self, via: ServerName) -> tuple[EtcdMember, ...]:
        self._contact(via)
        return self.world.etcd_members(via)

    # -- acting --------------------------------------------------------------------------------

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        with self._turn:
            self._contact(action.server)
            if isinstance(action, QUIET):
                return self.world.carry_out(action, timeout_seconds)
            self._count += 1
            self._come_late(action)
            fault = self._due.pop(self._count, None)
            if fault is not None:
                self.fired[fault] += 1
                self.history.append(f"  ! {fault.name}")
        if fault is Fault.SECOND_OPERATOR:
            self.second()  # in the middle of ours, so not in its turn
        with self._turn:
            if fault is None:
                self._effect(action, timeout_seconds)
            else:
                self._strike(fault, action, timeout_seconds)
        return ()

    def _strike(self, fault: Fault, action: Action, timeout_seconds: float) -> None:
        server = action.server
        match fault:
            case Fault.KILLED_BEFORE | Fault.KILLED_AFTER | Fault.LATE:
                if fault is Fault.KILLED_AFTER:
                    self._effect_if_it_can(action, timeout_seconds)
                if fault is Fault.LATE and self._begins(action):
                    via = self._via_cluster(action)
                    self._late.append(_Late(action, via, frozenset(self.dying)))
                self._dead = True
                raise Unreachable("killed")
            case Fault.CUT_BEFORE | Fault.CUT_AFTER:
                if fault is Fault.CUT_AFTER:
                    self._effect_if_it_can(action, timeout_seconds)
                self._cut.add(server)
                raise OutcomeUnknown(f"contact with {server} was lost")
            case Fault.UNKNOWN_DONE:
                self._effect_if_it_can(action, timeout_seconds)
                raise OutcomeUnknown(f"contact with {server} was lost")
            case Fault.UNKNOWN_NOT_DONE:
                raise OutcomeUnknown(f"contact with {server} was lost")
            case Fault.FAILS:
                raise CommandFailed(f"{action.doing} failed on {server}")
            case Fault.STOPPED:
                self._effect(action, timeout_seconds)
                self._stop.set()
            case Fault.LOCK_LOST:
                self._locks_lost = True
                self._effect(action, timeout_seconds)
            case Fault.POWER_LOST:
                self._some_machine().powered = False
                self._effect(action, timeout_seconds)
            case Fault.LOOKS_REFUSED:
                self._refused = 3
                self._effect(action, timeout_seconds)
            case Fault.SECOND_OPERATOR:
                self._effect(action, timeout_seconds)

    def _some_machine(self) -> Machine:
        used = [m for _, m in sorted(self.world.machines.items()) if m.claim and m.powered]
        machine = self.chance.choice(used or list(self.world.machines.values()))
        self.history.append(f"  ! {machine.server.name} loses power")
        return machine

    def _effect_if_it_can(self, action: Action, timeout_seconds: float) -> None:
        try:
            self._effect(action, timeout_seconds)
        except RpoolError as error:
            self.history.append(f"    (refused: {error.summary})")

    def _effect(self, action: Action, timeout_seconds: float) -> None:
        before = self._quorate()
        machine = self.world.machines[action.server]
        cluster, claim = machine.cluster, machine.claim
        self.history.append(f"    {action.doing} [{action.server}]")
        if isinstance(action, act.Reset) and claim is not None:
            self._check_reset(action, machine, before)
        self.world.carry_out(action, timeout_seconds)
        if isinstance(action, act.SetPhase) and action.phase is Phase.MEMBER:
            self._members.add(action.server)
        if isinstance(action, act.Reset):
            self._members.discard(action.server)
        if isinstance(action, act.Drain):
            through = machine.cluster
            self._drained |= {(id(through), name) for name in action.nodes}
        if isinstance(action, act.Join | act.Init):
            self._drained.discard((id(machine.cluster), action.server))
        for lost in before - self._quorate():
            if cluster is None or not self._is_dying(lost):
                self.broken.append(f"{action.doing} on {action.server} cost a quorum")

    def _check_reset(self, action: act.Reset, machine: Machine, quorate: set[int]) -> None:
        name, cluster = action.server, machine.cluster
        if cluster is None or id(cluster) not in quorate or action.ownership.uid in self.dying:
            return
        if name in cluster.members:
            self.broken.append(f"{name} was reset as a member of etcd of a living cluster")
        lost = self.world.fleet.servers[name].lost if name in self.world.fleet.servers else False
        serves_pods = name in self._members and not lost and name in cluster.nodes
        if serves_pods and (id(cluster), name) not in self._drained:
            self.broken.append(f"{name} was reset undrained, its cluster lives")

    def _quorate(self) -> set[int]:
        clusters = {id(m.cluster): m.cluster for m in self.world.machines.values() if m.cluster}
        return {
            key
            for key, cluster in clusters.items()
            if 2 * len(self.world._running(cluster)) > len(cluster.members)
        }

    def _is_dying(self, key: int) -> bool:
        return any(
            m.claim is not None and m.claim.uid in self.dying
            for m in self.world.machines.values()
            if id(m.cluster) == key
        ) or not any(id(m.cluster) == key for m in self.world.machines.values())

    # -- what goes on by itself ----------------------------------------------------------------

    def _via_cluster(self, action: Action) -> Cluster | None:
        return self.world.machines[action.via].cluster if isinstance(action, act.Join) else None

    def _begins(self, action: Action) -> bool:
        """Whether it goes on: a join is in the server's hands, past the guard; others get to it."""
        if not isinstance(action, act.Join):
            return True
        machine, ours = self.world.machines[action.server], action.ownership
        try:
            machine.check_claim(ours)
            machine.enter_session(ours.uid, ours.session)
        except RpoolError as error:
            self.history.append(f"    (refused: {error.summary})")
            return False
        return True

    def _come_late(self, action: Action) -> None:
        """An action that goes on holds its server's lock: it is over before the next one there that
        needs the server to itself. Else it comes at any time.
        """
        for late in list(self._late):
            alone = isinstance(action, act.Reset | act.Join | act.Init | act.Prepare) or (
                isinstance(action, act.SetPhase) and action.phase is Phase.LEAVING
            )
            if (action.server == late.action.server and alone) or self.chance.random() < 0.1:
                self._late.remove(late)
                self._finish(late)

    def _await_late(self, server: ServerName) -> None:
        """As a fence does: what goes on there has the server's lock, or is refused from then on."""
        here = [late for late in self._late if late.action.server == server]
        self._late = [late for late in self._late if late not in here]
        for late in here:
            self._finish(late)

    def finish_late(self) -> None:
        for late in self._late:
            self._finish(late)
        self._late = []

    def _finish(self, late: _Late) -> None:
        """What a destroy had begun stays a destroy's, whatever is applied meanwhile."""
        dying, self.dying = self.dying, self.dying | late.dying
        try:
            self._take_effect(late.action, late.cluster)
        finally:
            self.dying = dying

    def _take_effect(self, late: Action, cluster: Cluster | None) -> None:
        """By the guard of its time. A join needs its token at its beginning alone."""
        machine = self.world.machines[late.server]
        self.history.append(f"    (late: {late.doing} [{late.server}])")
        if not machine.powered:
            return
        if isinstance(late, act.Join):
            its = machine.claim and (machine.claim.uid, machine.claim.epoch)
            ours = its == (late.ownership.uid, late.ownership.epoch)
            if ours and cluster is not None and machine.cluster is None:
                role = Role.CONTROL_PLANE if late.control_plane else Role.WORKER
                if role is Role.WORKER or late.server not in cluster.members:
                    machine.become(cluster, role)
            return
        self._effect_if_it_can(late, 60)

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

    # -- locking -------------------------------------------------------------------------------

    @contextmanager
    def _lock(self, server: ServerName, uid: PoolUid) -> Iterator[SessionLock]:
        self._contact(server)
        stop = self._stop
        with self.world.lock(server, uid) as held:
            yield Lock(held.number, lambda: self._stop is stop and self._locks_lost)

    def lock(self, server: ServerName, uid: PoolUid) -> AbstractContextManager[SessionLock]:
        return self._lock(server, uid)

    def close(self) -> None:
        pass
