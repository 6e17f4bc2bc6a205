"""Changing a pool that serves: bigger, smaller, other, and finishing what was cut off."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rpool.decide import quorum
from rpool.decide.change import BEGUN, REVOKE, Outcome, forget_step, plan_change
from rpool.decide.joining import ADMIT
from rpool.errors import CommandFailed, Refused, RpoolError, StalePlan
from rpool.flow.admission import CaPin
from rpool.flow.attempt import Attempt, PoolIncomplete
from rpool.flow.execute import Limits, Ran, carry_out
from rpool.flow.journal import Journal
from rpool.flow.look import Looked, Wish, look, not_to_be_had
from rpool.flow.session import Held, session
from rpool.flow.view import of_record
from rpool.model.action import (
    Action,
    DeleteNode,
    Join,
    RemoveEtcdMember,
    SetPhase,
    TakeClaim,
    WriteRecord,
)
from rpool.model.claim import Phase
from rpool.model.pool import PoolSpec
from rpool.model.record import Record
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.step import Step
from rpool.model.view import PoolView
from rpool.model.world import World


def change(
    prior: PoolView,
    wanted: PoolSpec,
    roles: Mapping[ServerName, Role],
    fleet: Fleet,
    world: World,
    attempt: Attempt,
) -> PoolView:
    """Make the pool what `wanted` says, its own servers exactly those in `roles`.

    A server that cannot be had any more, or that cannot leave, does not keep the others from what
    is planned for them. Raises PoolIncomplete, with the pool as it is then, once anything may have
    been changed; what is raised before that (Unreachable, Refused, StalePlan) changed nothing.
    """

    def wish(record: Record) -> Wish:
        _refuse_if_others_changed(record, prior, roles)
        return Wish(wanted, roles, record.pinned)

    return carry_through(prior, wish, fleet, world, attempt, spec=wanted)


def _refuse_if_others_changed(
    record: Record, prior: PoolView, roles: Mapping[ServerName, Role]
) -> None:
    """Nobody leaves, and nobody comes back, whom the plan did not know of, or not as what it is."""
    changes = {
        "came": record.own.keys() - prior.servers.keys() - roles.keys(),
        "left": (prior.servers.keys() & roles.keys()) - record.own.keys(),
        "became an rpool_node's": record.pinned.keys() & roles.keys(),
        "got another role": {n for n, m in record.own.items() if roles.get(n, m.role) != m.role},
    }
    said = [f"{', '.join(sorted(names))} {what}" for what, names in changes.items() if names]
    if said:
        raise StalePlan(
            f"pool {prior.name} was changed by somebody else since the plan: {'; '.join(said)}",
            "Nothing was changed. Plan again.",
        )


def carry_through(
    prior: PoolView,
    wish: Callable[[Record], Wish],
    fleet: Fleet,
    world: World,
    attempt: Attempt,
    spec: PoolSpec | None = None,
) -> PoolView:
    """Bring about what is wished for a pool, under its session lock; see `change`. `spec` is its
    request should it have no record yet.
    """
    limits = Limits(time.monotonic() + attempt.timeout_seconds, attempt.stop)
    with session(world, prior.uid, prior.control_planes) as lock:
        limits = replace(limits, lock_lost=lock.lost)
        looked = look(prior, wish, spec, fleet, world)
        while lock.cover(looked.control_planes):
            looked = look(prior, wish, spec, fleet, world)
        if looked.is_nothing:
            return of_record(looked.change.record, looked.cluster)
        if looked.errors and looked.change.moves_nobody and not looked.dropped:
            raise _together(looked.errors)
        with Journal(prior.name, world, attempt.log) as journal:
            for name in looked.control_planes:
                if name in looked.claims:
                    journal.keep_on(name, looked.claims[name].ownership)
            return _Changing(looked, world, journal, limits, lock).to_the_end()


class _Changing:
    """One change: carried out, and accounted for if it does not go all the way."""

    def __init__(
        self,
        looked: Looked,
        world: World,
        journal: Journal,
        limits: Limits,
        lock: Held,
    ) -> None:
        self._looked = looked
        self._change = looked.change
        self._world = world
        self._journal = journal
        self._limits = limits
        self._lock = lock
        self._pin = CaPin(world, looked.cluster.ca_certificate)

    def to_the_end(self) -> PoolView:
        steps = plan_change(self._change, self._looked.seen)
        ran = carry_out(steps, self._world, self._journal, self._limits, self._bind)
        errors = [
            *self._looked.errors,
            *([ran.halted] if ran.halted else []),
            *self._told(steps, ran),
        ]
        if not errors:
            return self._view(self._change.ended)
        error = _together(errors)
        if BEGUN not in ran.done and isinstance(ran.failed.get(BEGUN), Refused | None):
            raise error  # nothing was begun
        record = self._cut_off(steps, ran)
        self._write(record)
        raise PoolIncomplete(error, self._view(record))

    def _told(self, steps: Sequence[Step], ran: Ran) -> list[RpoolError]:
        """What failed; a claim that was refused is a plan that somebody else was faster than."""
        claims = {step.name: step.server for step in steps if isinstance(step.action, TakeClaim)}
        pinned = self._change.one is not None
        return [
            not_to_be_had(
                claims[name], error.summary.removeprefix(f"{claims[name]} "), pinned=pinned
            )
            if name in claims and isinstance(error, Refused)
            else error
            for name, error in ran.failed.items()
        ]

    def _bind(self, action: Action) -> Action | None:
        match action:
            case Join():
                return self._pin.bind(action)
            case RemoveEtcdMember():
                return self._proven(action)
            case SetPhase() if action.phase is Phase.MEMBER and self._is_control_plane(action):
                self._lock.add(action.server)  # others may ask it for the lock from now on
                return action
            case DeleteNode():
                self._lock.drop(action.node)
                return action
            case _:
                return action

    def _is_control_plane(self, action: SetPhase) -> bool:
        return self._change.joining.roles.get(action.server) is Role.CONTROL_PLANE

    def _proven(self, action: RemoveEtcdMember) -> RemoveEtcdMember | None:
        """The removal with the id of the member, once it is shown that the rest keeps quorum."""
        members = self._world.etcd_members(action.server)
        leaving = quorum.member_of(members, action.member, action.address)
        if leaving is None:
            return None
        if leaving.healthy and action.member not in self._change.record.members:
            raise Refused(
                f"{action.member} is to join, but etcd has a member of that name that answers",
                "Another machine runs under this name: compare the addresses and host keys in the "
                "fleet with the servers.",
            )
        if why := quorum.why_not_remove(members, leaving):
            raise Refused(
                f"{action.member} was not taken out of etcd: {why}",
                "Bring the other control planes back first.",
            )
        return replace(action, member_id=leaving.id)

    def _cut_off(self, steps: Sequence[Step], ran: Ran) -> Record:
        """The record by what was done. A claim that nobody denied may be there."""
        change = self._change
        unsure = {name for name, error in ran.failed.items() if not isinstance(error, Refused)}
        claimed = {
            step.server
            for step in steps
            if isinstance(step.action, TakeClaim) and step.name in ran.done | unsure
        }
        arrived = {
            name
            for name in change.joining.roles
            if f"member {name}" in ran.done or self._was_member(name)
        }
        return change.cut_off(
            Outcome(
                arrived=frozenset(arrived),
                claimed=frozenset(claimed | self._looked.claims.keys()),
                gone=frozenset(n for n in change.going if forget_step(n) in ran.done),
                half_out=frozenset(self._half_out(ran)),
                dressed=frozenset(n for n in change.pinned if f"label {n}" in ran.done),
                cluster=self._touched_cluster(ran),
            )
        )

    def _was_member(self, name: ServerName) -> bool:
        claim = self._looked.claims.get(name)
        return claim is not None and claim.is_member

    def _half_out(self, ran: Ran) -> set[ServerName]:
        """Leavers that are not what they were: a drain that failed for sure has undone itself, but
        one that went well, or of which nothing is known, leaves a node that takes no pods.
        """
        undone = {n for n, e in ran.failed.items() if isinstance(e, CommandFailed | Refused)}
        begun = ran.done | (ran.failed.keys() - undone)
        half_out = set()
        for its in self._change.leavers:
            touched = {f"drain {its.name}", f"leave {its.name}"} & begun
            if touched or its.claim is None or its.claim.is_leaving:
                half_out.add(its.name)
        stayed = {n for n in self._change.cordoned if f"uncordon {n}" not in ran.done}
        return half_out | stayed

    @staticmethod
    def _touched_cluster(ran: Ran) -> bool:
        tried = ran.done | ran.failed.keys()
        open_ = ADMIT in tried and REVOKE not in ran.done
        return open_ or not tried.isdisjoint({"metallb", "metallb pools", "remove metallb"})

    def _write(self, record: Record) -> None:
        """Whether it can be written or not: the record from before the change names them all."""
        change = self._change
        if self._limits.lock_lost():
            return  # somebody else may be at work by now, with a record of their own
        for via in dict.fromkeys((change.heir, change.via)):
            ours = change.joining.ownership(via, self._looked.seen)
            action = WriteRecord(via, ours, record, change.record.change)
            try:
                self._world.carry_out(action, action.limit_seconds)
            except RpoolError:
                continue
            return

    def _view(self, record: Record) -> PoolView:
        return of_record(record, self._looked.cluster)


def _together(errors: Sequence[RpoolError]) -> RpoolError:
    """The first error, with the others in its detail."""
    first, *others = errors
    if not others:
        return first
    also = "\n".join(f"Also: {error.summary}" for error in others)
    return type(first)(first.summary, f"{first.detail}\n{also}".strip())
