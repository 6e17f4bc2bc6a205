"""Making a pool: choose, claim, prepare, kubeadm, addons, record."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rpool.decide.create import plan_create
from rpool.decide.joining import Joining
from rpool.errors import Bug, NotClaimed, Refused, RpoolError, SpecError
from rpool.flow.admission import CaPin, change_id, join_secrets, owner
from rpool.flow.attempt import Attempt, PoolIncomplete
from rpool.flow.choose import Chosen, choose
from rpool.flow.execute import Limits, Ran, as_rpool_error, carry_out
from rpool.flow.journal import Journal
from rpool.flow.view import of_joining
from rpool.model.action import Action, Init, Join, Prepare, Reset, TakeClaim
from rpool.model.claim import Ownership
from rpool.model.pool import PoolSpec
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.step import Step
from rpool.model.view import PoolView
from rpool.model.world import World

ROUNDS = 5


def create(spec: PoolSpec, fleet: Fleet, world: World, attempt: Attempt) -> PoolView:
    """Make the pool, and replace servers that fail on the way by the next best.

    Raises the errors of choosing before anything was changed, PoolIncomplete afterwards.
    """
    limits = Limits(time.monotonic() + attempt.timeout_seconds, attempt.stop)
    uid = secrets.token_hex(4)
    chosen = choose(spec, fleet, world, uid)
    joining = _joining(spec, fleet, uid, chosen)
    first = joining.with_role(Role.CONTROL_PLANE)[0]
    journal = Journal(spec.name, world, attempt.log)
    making = _Making(joining, fleet, world, journal, limits)
    try:
        with world.lock(first, uid) as lock, journal:
            return making.to_the_end(chosen, lock.lost)
    except PoolIncomplete:
        raise
    except Exception as error:  # whatever it is, what was claimed must get into the state
        raise making.incomplete(as_rpool_error(error, f"creating pool {spec.name}")) from error


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
        self, joining: Joining, fleet: Fleet, world: World, journal: Journal, limits: Limits
    ) -> None:
        self._joining = joining
        self._fleet = fleet
        self._world = world
        self._journal = journal
        self._limits = limits
        self._pin = CaPin(world)
        self._claimed: set[ServerName] = set()
        self._excluded: dict[ServerName, str] = {}

    def to_the_end(self, chosen: Chosen, lock_lost: Callable[[], bool]) -> PoolView:
        self._limits = replace(self._limits, lock_lost=lock_lost)
        error: RpoolError = Bug("a create that had no round")
        for _ in range(ROUNDS):
            steps = plan_create(self._joining, chosen.probed)
            before = set(self._claimed)
            self._claimed |= _claiming(steps)  # should carrying out break off, all may be ours
            ran = carry_out(steps, self._world, self._journal, self._limits, self._bind)
            self._claimed = before | _possibly_claimed(steps, ran)
            if ran.error is None:
                return of_joining(self._joining, self._world)
            error = ran.error
            if ran.halted is not None or not (culprits := _culprits(steps, ran, chosen)):
                break
            try:
                chosen = self._replace(culprits)
            except RpoolError as why:
                error = _with_note(error, why)
                break
        raise self.incomplete(error)

    def _bind(self, action: Action) -> Action:
        return self._pin.bind(action) if isinstance(action, Join) else action

    def _replace(self, culprits: Mapping[ServerName, RpoolError]) -> Chosen:
        """Give failed servers back and choose others in their place; the rest stay as they are."""
        joining, vip = self._joining, self._joining.spec.control_plane.endpoint.vip
        self._excluded |= {name: error.summary for name, error in culprits.items()}
        back = [
            Step(f"reset {name}", name, Reset(name, Ownership(joining.uid, joining.epoch), vip))
            for name in culprits
            if name in self._claimed
        ]
        ran = carry_out(back, self._world, self._journal, self._limits)
        stuck = {n: error for n, error in ran.failed.items() if not isinstance(error, NotClaimed)}
        over = ran.done | (ran.failed.keys() - stuck.keys())
        self._claimed -= {step.server for step in back if step.name in over}
        if ran.halted is not None or stuck:
            raise ran.halted or next(iter(stuck.values()))
        kept = {n: role for n, role in joining.roles.items() if n in self._claimed}
        chosen = choose(joining.spec, self._fleet, self._world, joining.uid, kept, self._excluded)
        self._joining = replace(joining, roles=chosen.roles)
        return chosen

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
    note = f"It could not be replaced: {why_not_replaced.summary}"
    more = "\n".join(part for part in (error.detail, note, why_not_replaced.detail) if part)
    return type(error)(error.summary, more) if not isinstance(error, SpecError) else error
