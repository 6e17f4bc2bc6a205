"""Making a pool: choose, claim, prepare, kubeadm, addons, record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rpool.decide.create import plan_create
from rpool.decide.joining import Joining
from rpool.errors import (
    Bug,
    CommandFailed,
    ForeignClaim,
    NotClaimed,
    Refused,
    RpoolError,
    SpecError,
    Unreachable,
)
from rpool.flow.admission import CaPin, change_id, join_secrets, owner
from rpool.flow.attempt import Attempt, PoolIncomplete
from rpool.flow.choose import Chosen, choose
from rpool.flow.execute import Limits, Ran, as_rpool_error, carry_out
from rpool.flow.journal import Journal
from rpool.flow.session import Held, session
from rpool.flow.view import of_joining
from rpool.model.action import Action, DeleteNode, Init, Join, Prepare, Reset, TakeClaim
from rpool.model.claim import Ownership
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.step import Step
from rpool.model.view import PoolView
from rpool.model.world import World

ROUNDS = 5


def create(uid: PoolUid, spec: PoolSpec, fleet: Fleet, world: World, attempt: Attempt) -> PoolView:
    """Make the pool, and replace servers that fail on the way by the next best.

    Raises the errors of choosing before anything was changed, PoolIncomplete afterwards.
    """
    limits = Limits(time.monotonic() + attempt.timeout_seconds, attempt.stop)
    chosen = choose(spec, fleet, world, uid)
    joining = _joining(spec, fleet, uid, chosen)
    journal = Journal(spec.name, world, attempt.log)
    making: _Making | None = None
    try:
        with session(world, uid, ()) as lock, journal:
            making = _Making(joining, fleet, world, journal, limits, lock)
            return making.to_the_end(chosen)
    except PoolIncomplete:
        raise
    except Exception as error:  # whatever it is, what was claimed must get into the state
        cause = as_rpool_error(error, f"creating pool {spec.name}")
        raise (making.incomplete(cause) if making else cause) from error


def _joining(spec: PoolSpec, fleet: Fleet, uid: str, chosen: Chosen) -> Joining:
    return Joining(
        uid=uid,
        spec=spec,
        servers=fleet.servers,
        roles=chosen.roles,
        owner=owner(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        secrets=join_secrets(),
        change=change_id(),
    )


class _Making:
    """One create: rounds of plan and execution, and what is known between them."""

    def __init__(
        self,
        joining: Joining,
        fleet: Fleet,
        world: World,
        journal: Journal,
        limits: Limits,
        lock: Held,
    ) -> None:
        self._joining = joining
        self._fleet = fleet
        self._world = world
        self._journal = journal
        self._lock = lock
        self._limits = replace(limits, lock_lost=lock.lost)
        self._pin = CaPin(world)
        self._claimed: set[ServerName] = set()
        self._joined: set[ServerName] = set()
        self._excluded: dict[ServerName, str] = {}

    def to_the_end(self, chosen: Chosen) -> PoolView:
        error: RpoolError = Bug("a create that had no round")
        for _ in range(ROUNDS):
            ran, culprits = self._round(chosen)
            if ran is not None and ran.error is None:
                return of_joining(self._joining, self._world)
            error = ran.error if ran and ran.error else next(iter(culprits.values()))
            if (ran is not None and ran.halted is not None) or not culprits:
                break
            try:
                chosen = self._replace(culprits)
            except RpoolError as why:
                error = _with_note(error, why)
                break
        raise self.incomplete(error)

    def _round(self, chosen: Chosen) -> tuple[Ran | None, dict[ServerName, RpoolError]]:
        """What came of one round of steps (None: it did not begin), and servers to replace."""
        if unlocked := self._lock_control_planes():
            return None, unlocked
        steps = plan_create(self._joining, chosen.probed)
        before = set(self._claimed)
        self._claimed |= _claiming(steps)  # should carrying out break off, all may be ours
        ran = carry_out(steps, self._world, self._journal, self._limits, self._bind)
        self._claimed = before | _possibly_claimed(steps, ran)
        self._joined |= {
            step.server
            for step in steps
            if isinstance(step.action, Init | Join) and step.name in ran.done
        }
        return ran, _culprits(steps, ran, chosen)

    def _lock_control_planes(self) -> dict[ServerName, RpoolError]:
        """Lock each control plane of the pool to be. Returns those that could not be locked: they
        were taken by another cluster since they were looked at, or fell silent.
        """
        failed = self._lock.add_all(self._joining.with_role(Role.CONTROL_PLANE))
        for error in failed.values():
            if not isinstance(error, ForeignClaim | Unreachable | CommandFailed):
                raise error
        return failed

    def _bind(self, action: Action) -> Action:
        return self._pin.bind(action) if isinstance(action, Join) else action

    def _replace(self, culprits: Mapping[ServerName, RpoolError]) -> Chosen:
        """Give failed servers back and choose others in their place; the rest stay as they are."""
        joining = self._joining
        self._excluded |= {name: error.summary for name, error in culprits.items()}
        for name in culprits:
            self._lock.drop(name)
        back = self._departures([name for name in culprits if name in self._claimed])
        ran = carry_out(back, self._world, self._journal, self._limits)
        stuck = {n: error for n, error in ran.failed.items() if not isinstance(error, NotClaimed)}
        over = ran.done | (ran.failed.keys() - stuck.keys())
        resets = [step for step in back if isinstance(step.action, Reset)]
        self._claimed -= {step.server for step in resets if step.name in over}
        if ran.halted is not None or stuck:
            raise ran.halted or next(iter(stuck.values()))
        kept = {n: role for n, role in joining.roles.items() if n in self._claimed}
        chosen = choose(joining.spec, self._fleet, self._world, joining.uid, kept, self._excluded)
        self._joining = replace(joining, roles=chosen.roles)
        return chosen

    def _departures(self, names: Sequence[ServerName]) -> list[Step]:
        """Steps that give servers back. A join that failed may have registered a Node, which goes
        along: without its server nobody would ever miss it.
        """
        joining, vip = self._joining, self._joining.spec.control_plane.endpoint.vip
        control_planes = joining.with_role(Role.CONTROL_PLANE)
        through = next((n for n in control_planes if n in self._joined and n not in names), None)
        steps: list[Step] = []
        for name in names:
            ours = Ownership(joining.uid, joining.epoch)
            reset = Step(f"reset {name}", name, Reset(name, ours, vip))
            steps.append(reset)
            if through is not None:
                forget = DeleteNode(through, ours, name)
                after = frozenset({reset.name})  # before that its kubelet would register it again
                steps.append(Step(f"forget {name}", name, forget, after=after))
        return steps

    def incomplete(self, cause: RpoolError) -> RpoolError:
        """The error to raise: with a view of what is claimed, if anything is."""
        if not self._claimed:
            return cause
        roles = {n: role for n, role in self._joining.roles.items() if n in self._claimed}
        return PoolIncomplete(cause, of_joining(replace(self._joining, roles=roles), None))


def _claiming(steps: Sequence[Step]) -> set[ServerName]:
    return {step.server for step in steps if isinstance(step.action, TakeClaim)}


def _possibly_claimed(steps: Sequence[Step], ran: Ran) -> set[ServerName]:
    """Servers that were claimed, or may have been: only a refusal says for sure that one was not,
    since contact can break just after the claim was published.
    """
    unsure = {n for n, error in ran.failed.items() if not isinstance(error, Refused)}
    return _claiming([step for step in steps if step.name in ran.done | unsure])


def _culprits(steps: Sequence[Step], ran: Ran, chosen: Chosen) -> dict[ServerName, RpoolError]:
    """Servers that failed where others did not: worth trying without them.

    When all fail at the same kind of step, the cause is not a server (a package that is not in the
    repository, say), and other servers would only fail after them. A control plane that fails to
    join may be a member of etcd by then; to replace it is not this function's to decide.
    """
    some_joined = any(probed.joined for probed in chosen.probed.values())
    ended = frozenset(ran.failed)
    culprits: dict[ServerName, RpoolError] = {}
    for kind in (TakeClaim, Prepare, Init, Join):
        tried = [s for s in steps if isinstance(s.action, kind) and s.name in ran.done | ended]
        failed = {s.server: ran.failed[s.name] for s in tried if s.name in ended}
        if kind is TakeClaim or some_joined or len(failed) < len(tried):
            culprits |= failed
    voters = {
        s.server
        for s in steps
        if isinstance(s.action, Join) and s.action.control_plane and s.name in ended
    }
    if voters:
        return {}
    return culprits


def _with_note(error: RpoolError, why_not_replaced: RpoolError) -> RpoolError:
    if isinstance(error, SpecError):
        return error
    problems = why_not_replaced.problems if isinstance(why_not_replaced, SpecError) else ()
    note = f"It could not be replaced: {why_not_replaced.summary}"
    parts = (error.detail, note, why_not_replaced.detail, *(its.detail for its in problems))
    return type(error)(error.summary, "\n".join(part for part in parts if part))
