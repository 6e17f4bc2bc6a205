"""The one loop: observe, plan, carry out, and observe again until nothing is left to do.

Every verb that changes a cluster says what it wants (`Goal`) and is reconciled here. How far an
earlier operation or an earlier round got is kept nowhere: it is observed.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from rpool.attempt import Attempt, PoolIncomplete
from rpool.certificates import ca_pin
from rpool.decide.membership import Membership
from rpool.decide.plan import Plan, not_claimed, not_drained, not_ready, plan, record
from rpool.decide.view import came_and_went, of_members, of_record
from rpool.errors import ForeignClaim, RpoolError, together
from rpool.flow.execute import Execution, Limits
from rpool.flow.failures import note_failed
from rpool.flow.journal import Journal
from rpool.flow.news import told
from rpool.flow.proven import proven
from rpool.flow.session import Held, join_secrets, operation, session
from rpool.flow.tries import Tries
from rpool.flow.waiting import Told
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.desired import Desired
from rpool.model.observed import Observed
from rpool.model.pool import PoolUid
from rpool.model.record import Record
from rpool.model.secret import NO_SECRET
from rpool.model.server import Fleet, Role, Roles, ServerName
from rpool.model.step import Ran, Step
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

ROUNDS = 6


class Goal(ABC):
    """What a verb wants of a cluster."""

    @abstractmethod
    def look(self) -> Observed:
        """The cluster now, as far as that is known without the servers that are to join."""

    @abstractmethod
    def want(self, pool: Observed) -> Desired:
        """What the cluster is to be."""

    @abstractmethod
    def closer(self, pool: Observed, desired: Desired) -> Observed:
        """`pool`, with the servers that are to join or to leave observed, too."""

    @abstractmethod
    def unseen(self) -> PoolView | None:
        """What the cluster may have, when it cannot be observed any more. None: nothing."""

    def inspect(self, steps: Sequence[Step], pool: Observed, attempt: Attempt) -> None:  # noqa: B027
        """Raises Refused where servers that are to be claimed cannot do their part. By default does
        nothing: they were inspected as they were chosen.
        """

    def replaces(self, ran: Ran) -> bool:
        """Whether to try again in another way, say on other servers. By default not."""
        return False

    def is_usable(self, members: Membership) -> bool:
        """Whether what a create has left is a cluster that the next apply can mend."""
        return False


@dataclass
class Run:
    """One operation on one cluster, under its session lock."""

    fleet: Fleet
    world: World
    attempt: Attempt
    lock: Held
    journal: Journal

    def __post_init__(self) -> None:
        deadline = time.monotonic() + self.attempt.timeout_seconds
        self._limits = Limits(deadline, self.attempt.stop, self.lock.lost)
        self.operation = operation(self.attempt.owner)
        self._secrets = join_secrets()  # no plan has any: they are filled in as it is carried out
        self._ca_certificate: str | None = None
        self._ca_lock = threading.Lock()
        self._control_planes: list[ServerName] = []
        self._members: frozenset[ServerName] = frozenset()
        self._members_before: frozenset[ServerName] = frozenset()
        self._wanted: Roles = {}
        self.about_to: Callable[[act.Action], None] = lambda action: None
        self._tries = Tries()

    def reconcile(self, goal: Goal, pool: Observed) -> PoolView:
        """Make the cluster as desired; returns it. Raises an error as it is while nothing may have
        been changed; afterwards PoolIncomplete, with what there is.
        """
        errors: list[RpoolError] = []
        changed, rounds_left = False, ROUNDS
        self._members_before = frozenset(pool.record.members if pool.record else ())
        while rounds_left:
            try:
                self._wanted = (desired := goal.want(pool)).roles
                pool = goal.closer(pool, desired)
                todo = self.plan(desired, pool)
                goal.inspect(todo.steps, pool, self.attempt)
            except RpoolError as error:
                errors = [error]
                break
            steps = self._tries.untried(todo.steps)
            ran = self.carry_out(steps)
            changed = changed or ran.may_have_changed
            if (ran.halted or self._limits.broken()) is None:  # else that is why it failed
                note_failed(ran, desired.uid, self.lock.session, desired.spec.name, self.world)
            self._tries.note(ran, self._worded)
            errors = [*todo.blocked, *self._tries.told(todo, ran)]
            if not errors and not todo.goes_on:
                return self._reached(todo, pool)
            if ran.halted is not None:
                break
            elsewhere, again = goal.replaces(ran), self._tries.may_help_again(ran)
            if not (elsewhere or again or not errors):
                break
            # Members are replaced one after the other, each in a round of its own.
            gone_on = bool(ran.done) and not errors
            lost_races = all(isinstance(error, ForeignClaim) for _, error in ran.failed)
            if not (gone_on or (elsewhere and lost_races)):  # lost races end with the fleet
                rounds_left -= 1
            with suppress(RpoolError):
                pool = goal.look()
            if not elsewhere and any(step.server in pool.silent for step, _ in ran.failed):
                break  # what came of that step is unknown
        cause = together(errors)
        if not changed:
            raise cause
        raise self._incomplete(cause, goal)

    def plan(self, desired: Desired, pool: Observed) -> Plan:
        """What is left to do. The journal is kept on the control planes that the cluster has."""
        self.lock.begins_to_act()
        for server, claim in pool.claims.items():
            if claim.role is Role.CONTROL_PLANE:
                self.journal.keep_on(server, replace(claim.ownership, session=self.lock.session))
        self._control_planes = desired.of(Role.CONTROL_PLANE)
        self._members = frozenset(pool.record.members if pool.record else ())
        if pool.api is not None:
            self._ca_certificate = pool.api.cluster.ca_certificate
        self.operation = replace(self.operation, session=self.lock.session)
        return plan(desired, pool, self.operation, self.fleet)

    def carry_out(self, steps: Sequence[Step]) -> Ran:
        execution = Execution(steps, self.world, self.journal.tell, self._limits, self._bind)
        return told(execution.to_the_end(), self.attempt.warn)

    # -- what is known only when a step is carried out -------------------------------------------

    def _bind(self, action: act.Action) -> act.Action | None:
        self.about_to(action)
        match action:
            case act.RemoveEtcdMember():
                to_join = self._wanted.keys() - self._members
                if (removal := proven(self.world, action, to_join)) is None:
                    return None
                action = removal
            case act.SetPhase(server, _, Phase.MEMBER) if server in self._control_planes:
                self.lock.add(server)  # others may ask it for the lock from now on
            case act.DeleteNode():
                self.lock.drop(action.node)
            case act.Init() | act.AdmitJoiners() | act.RevokeJoiners():
                action = replace(action, secrets=self._secrets)
            case act.Join():
                action = replace(action, secrets=self._secrets_for(action))
        return self._of_this_session(action)

    def _secrets_for(self, join: act.Join) -> act.JoinSecrets:
        pin = ca_pin(self._certificate(join.through))
        key = self.world.encryption(join.through) if join.control_plane else NO_SECRET
        return replace(self._secrets, ca_pin=pin, encryption=key)

    def _certificate(self, through: ServerName) -> str:
        """The cluster's CA (PEM), looked up once. Raises as `World.observe`."""
        with self._ca_lock:
            if self._ca_certificate is None:
                self._ca_certificate = self.world.observe(through).ca_certificate
            return self._ca_certificate

    def _of_this_session(self, action: act.Action) -> act.Action:
        """The action with the number of this session: a claim has that of the one that took it."""
        if isinstance(action, act.Unowned):
            return action
        return replace(action, ownership=replace(action.ownership, session=self.lock.session))

    # -- how it ends -----------------------------------------------------------------------------

    def _reached(self, todo: Plan, pool: Observed) -> PoolView:
        """The cluster by the record that the last step wrote."""
        written = [s.action.record for s in todo.steps if isinstance(s.action, act.WriteRecord)]
        final = written[-1] if written else pool.record
        assert final is not None  # noqa: S101 nothing to do means that a record says so
        through = pool.api.through if pool.api else final.of(Role.CONTROL_PLANE)[0]
        try:
            return of_record(final, self._certificate(through))
        except RpoolError:  # it is made all the same: the next read shows the rest
            return replace(of_record(final, ""), condition=Condition.INCOMPLETE)

    def _worded(self, step: Step, error: RpoolError) -> RpoolError:
        """The error as users read it. A claim that was refused, or failed, is a stale plan."""
        match step.action:
            case act.TakeClaim():
                return not_claimed(self.fleet.servers[step.server], error)
            case act.AwaitReady():
                return not_ready(step.action, error)
            case act.Drain():
                return not_drained(step.action, error)
            case _:
                return error

    def _incomplete(self, cause: RpoolError, goal: Goal) -> PoolIncomplete:
        """The error of an operation that got only part of the way, with what there is. Where the
        cluster is as it was settled before, the record is put back.
        """
        try:
            pool = goal.look()
        except RpoolError:
            return PoolIncomplete(cause, goal.unseen())
        if pool.api is None or pool.api.cluster.record is None or pool.record is None:
            return PoolIncomplete(cause, goal.unseen())
        members = Membership(pool.record, pool, self.fleet)
        before = record.as_before(members)
        if before is not None and self._write(pool, before):
            members = replace(members, record=before)
        view = of_members(members, pool.api.cluster.ca_certificate)
        done = came_and_went(members, self._wanted.keys(), self._members_before)
        return PoolIncomplete(cause, view, done, usable=goal.is_usable(members))

    def _write(self, pool: Observed, before: Record) -> bool:
        """Writes `before` and returns whether that succeeded. Only over a record of this operation,
        and only while the lock is held.
        """
        may_write = before.change == self.operation.change and not self.lock.lost()
        if not may_write or pool.api is None or (claim := pool.claim(pool.api.through)) is None:
            return False
        action = act.WriteRecord(pool.api.through, claim.ownership, before, before.change)
        with suppress(RpoolError):
            self.world.carry_out(self._of_this_session(action), action.limit_seconds)
            return True
        return False


@contextmanager
def at_work(
    uid: PoolUid,
    name: str,
    control_planes: Iterable[ServerName],
    fleet: Fleet,
    world: World,
    attempt: Attempt,
) -> Iterator[Run]:
    """One operation, which holds the cluster's lock on these control planes and keeps a journal."""
    with session(world, uid, control_planes) as lock, Journal(name, world, attempt) as journal:
        lock.through = Told(world, uid, journal, lambda: lock.session)
        yield Run(fleet, world, attempt, lock, journal)
