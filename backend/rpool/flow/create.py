"""Making a cluster, and replacing servers that fail on the way by the next best."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from rpool.attempt import Attempt, PoolIncomplete
from rpool.decide.membership import Membership, Part, ca_of
from rpool.decide.view import of_spec
from rpool.errors import (
    CommandFailed,
    ForeignClaim,
    Refused,
    RpoolError,
    SpecError,
    Unreachable,
    as_rpool_error,
    together,
)
from rpool.flow.choose import Chosen, choose
from rpool.flow.in_use import InUse
from rpool.flow.look import probe_all, reach_api
from rpool.flow.neighbours import Neighbours, Taken
from rpool.flow.reconcile import Goal, Run, at_work
from rpool.flow.resume import Namesake, Resume
from rpool.model.action import Action, Init, Join, Prepare, TakeClaim
from rpool.model.desired import Desired
from rpool.model.observed import Observed
from rpool.model.pool import DEFAULT_GROUP, PoolSpec, PoolUid
from rpool.model.record import Member, Record
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Role, Roles, ServerName
from rpool.model.step import Ran, Step
from rpool.model.view import Condition, PoolView
from rpool.model.world import World


def create(
    uid: PoolUid,
    spec: PoolSpec,
    fleet: Fleet,
    world: World,
    attempt: Attempt,
    in_use: InUse,
    left: PoolView | None = None,
) -> PoolView:
    """Make the cluster. Raises the errors of choosing before anything was changed, PoolIncomplete
    afterwards. `left` is what a state had until now of an earlier create that never ended.
    """
    goal: Create | None = None
    resume = Resume(uid, spec, fleet, world, attempt, left)
    try:
        with at_work(uid, spec.name, (), fleet, world, attempt) as run:
            goal = Create(uid, spec, fleet, world, run, in_use)
            return run.reconcile(goal, goal.first(resume))
    except PoolIncomplete:
        raise
    except Exception as error:  # whatever it is, what was claimed must get into the state
        cause = as_rpool_error(error, f"creating cluster {spec.name}")
        if goal is None or (isinstance(error, RpoolError) and not resume.has_begun):
            raise cause from error
        raise PoolIncomplete(cause, goal.unseen() or resume.going) from error


class Create(Goal):
    """What is desired of a cluster that does not exist yet: any servers that are fit."""

    def __init__(
        self,
        uid: PoolUid,
        spec: PoolSpec,
        fleet: Fleet,
        world: World,
        run: Run,
        in_use: InUse,
    ) -> None:
        self._uid = uid
        self._spec = spec
        self._fleet = fleet
        self._world = world
        self._run = run
        run.about_to = self._about_to
        self._lock = run.lock
        self._looking = threading.Lock()
        self._neighbours: Neighbours | None = None
        self._taken: Taken | None = None
        self._in_use = in_use
        self._chosen = Chosen({}, {})
        self._next: Chosen | None = None
        self._known: set[PoolUid] = {uid}  # clusters of that name that are no reason to stop
        self._excluded: dict[ServerName, str] = {}
        self._error: RpoolError | None = None
        self.tried: dict[ServerName, Role] = {}
        self._groups: dict[ServerName, str] = {}

    def first(self, resume: Resume) -> Observed:
        """What there is to begin with: nothing, or what an earlier create of that name has left."""

        def notice(probed: Probed) -> None:
            if probed.claim is not None and probed.claim.pool == self._spec.name:
                raise Namesake

        if resume.left is None:
            with suppress(Namesake):
                self._next = self._best({}, notice)
        if self._next is None:
            self.tried = resume.taken
            self._known |= resume.take_over(self._run.operation.since)
        return self.look() if self.tried else Observed(self._uid)

    def look(self) -> Observed:
        """The cluster by the servers tried. Its control planes are what this create decided, not
        what claims say: root on a worker can write one, and must not become the cluster's CA.
        """
        seen, silent = self._lock.look(self.tried)
        pool = Observed(self._uid, None, None, seen, silent)
        control_planes = {n: c for n, c in pool.claims.items() if self.tried[n] is _CONTROL_PLANE}
        joined = [name for name in control_planes if seen[name].probed.joined]
        api, _ = reach_api(self._world, self._uid, joined, ca_of(control_planes))
        record = (api.cluster.record if api else None) or Record(
            self._uid, "", 0, 0, None, self._spec, {}
        )
        self._groups |= {n: c.group for n, c in pool.claims.items() if c.group in self._spec.groups}
        may_be_ours = {
            name: Member.of(self._fleet.servers[name], role, self._group(name))
            for name, role in self.tried.items()
            if pool.claim(name) or name in silent
        }
        record = replace(record, members={**may_be_ours, **record.members})
        return Observed(self._uid, api, record, seen, silent)

    def _group(self, name: ServerName) -> str:
        return self._groups.get(name, DEFAULT_GROUP)

    def want(self, pool: Observed) -> Desired:
        """The cluster on servers that are fit, those that are claimed already among them."""
        if self._taken is not None:
            raise self._given_back(self._taken, pool)
        kept = {
            name: role
            for name, role in self.tried.items()
            if name not in self._excluded and (pool.claim(name) or name in pool.silent)
        }
        while True:
            chosen = self._choose(kept)
            failed = self._lock.add_all(n for n, r in chosen.roles.items() if r is _CONTROL_PLANE)
            for error in failed.values():
                if not isinstance(error, ForeignClaim | Unreachable | CommandFailed):
                    raise error
            if not failed:
                break
            self._exclude(failed)
        self._chosen = chosen
        self.tried |= chosen.roles
        self._groups = {n: g for n, g in self._groups.items() if n in kept} | dict(chosen.groups)
        anew = self._left_of_former_lives(pool, chosen)
        return Desired(self._uid, self._spec, chosen.roles, anew=anew, groups=chosen.groups)

    def _left_of_former_lives(self, pool: Observed, chosen: Chosen) -> frozenset[ServerName]:
        """Chosen spares that still have a Node: they had joined, and were reinstalled since. What
        is left of them is removed before they join.
        """
        if pool.record is None:
            return frozenset()
        seen = pool.with_servers(chosen.sightings, {})
        return Membership(pool.record, seen, self._fleet).among(chosen.roles.keys(), Part.LEAVING)

    def _given_back(self, why: RpoolError, pool: Observed) -> RpoolError:
        """`why`, with what kept servers from being given back."""
        empty = Desired(self._uid, self._spec, {})
        try:
            error = self._run.carry_out(self._run.plan(empty, pool).steps).error
        except RpoolError as not_planned:
            error = not_planned
        return together([why, error]) if error is not None else why

    def _choose(self, kept: Mapping[ServerName, Role]) -> Chosen:
        chosen, self._next = self._next, None
        if chosen is not None:
            return chosen
        try:
            return self._best(kept)
        except RpoolError as why:
            if self._error is None:
                raise
            raise _with_note(self._error, why) from why

    def _best(self, kept: Roles, noticed: Callable[[Probed], None] = lambda probed: None) -> Chosen:
        spec, excluded = self._spec, self._excluded
        warn = self._run.attempt.warn
        arguments = (self._fleet, self._world, self._in_use, kept, excluded, noticed, warn)
        return choose(spec, *arguments, self._groups)

    def closer(self, pool: Observed, desired: Desired) -> Observed:
        return pool.with_servers(self._chosen.sightings, {})

    def _about_to(self, action: Action) -> None:
        """Look for other clusters from the first preparation on; `Init` waits until that is over.
        By then this cluster's control planes are claimed, and so another create sees them.
        """
        if isinstance(action, Prepare):
            with self._looking:
                self._neighbours = self._neighbours or Neighbours(
                    (self._run.operation.since, self._uid),
                    self._spec,
                    self._fleet,
                    self._world,
                    self._run.attempt,
                )
        if isinstance(action, Init) and self._neighbours is not None:
            try:
                self._neighbours.refuse(self._known)
            except Taken as error:
                self._taken = error
                raise

    def replaces(self, ran: Ran) -> bool:
        """Returns True if servers that failed where others did not are to be given back and
        replaced, or all given back, since another cluster has what this one was to have. Never
        where another create of that name was faster: there would be two such clusters.
        """
        if self._taken is not None:
            return True
        if any(self._lost_to_namesake(step, error) for step, error in ran.failed):
            return False
        some_joined = any(sighting.probed.joined for sighting in self._chosen.sightings.values())
        culprits = _culprits(ran, some_joined=some_joined)
        self._exclude(culprits)
        return bool(culprits)

    def _lost_to_namesake(self, step: Step, error: RpoolError) -> bool:
        if not isinstance(step.action, TakeClaim) or not isinstance(error, ForeignClaim):
            return False
        seen, _ = probe_all(self._world, [step.server])
        claims = (sighting.probed.claim for sighting in seen.values())
        claim = next((c for c in claims if c is not None), None)
        return claim is not None and claim.pool == self._spec.name and claim.uid not in self._known

    def _exclude(self, culprits: Mapping[ServerName, RpoolError]) -> None:
        for name, error in culprits.items():
            self._error = self._error or error
            self._excluded[name] = error.summary
            self._lock.drop(name)

    def is_usable(self, members: Membership) -> bool:
        """Whether the API serves on all control planes: the next apply can mend the rest."""
        names = {name for name, role in self._chosen.roles.items() if role is _CONTROL_PLANE}
        return members.among(names, Part.MEMBER) == names

    def unseen(self) -> PoolView | None:
        """The servers that may be claimed: with a claim, or silent. None if there are none."""
        ca = ""
        try:
            pool = self.look()
            ca = pool.api.cluster.ca_certificate if pool.api else ""
        except Refused:  # for two CAs: what is claimed must be in a state all the same
            pool = Observed(self._uid).with_servers(*self._lock.look(self.tried))
        roles = {n: r for n, r in self.tried.items() if pool.claim(n) or n in pool.silent}
        if not roles:
            return None
        fleet = self._fleet.servers
        servers = {n: Member.of(fleet[n], role, self._group(n)) for n, role in roles.items()}
        return of_spec(self._uid, self._spec, servers, Condition.INCOMPLETE, ca)


_CONTROL_PLANE = Role.CONTROL_PLANE


def _culprits(ran: Ran, *, some_joined: bool) -> dict[ServerName, RpoolError]:
    """Servers that failed where others did not: worth trying without them.

    When all fail at the same kind of step, the cause is not a server (a package that is not in the
    repository, say), and other servers would only fail after them. A control plane that fails to
    join may be a member of etcd by then, and is not replaced here.
    """
    if any(isinstance(s.action, Join) and s.action.control_plane for s, _ in ran.failed):
        return {}
    culprits: dict[ServerName, RpoolError] = {}
    for kind in (TakeClaim, Prepare, Init, Join):
        failed = {s.server: error for s, error in ran.failed if isinstance(s.action, kind)}
        done = _of_kind(ran.done, kind)
        if kind is TakeClaim or some_joined or done:
            culprits |= failed
    return culprits


def _of_kind(steps: Sequence[Step], kind: type) -> list[Step]:
    return [step for step in steps if isinstance(step.action, kind)]


def _with_note(error: RpoolError, why_not_replaced: RpoolError) -> RpoolError:
    if isinstance(error, SpecError):
        return error
    problems = why_not_replaced.problems if isinstance(why_not_replaced, SpecError) else ()
    note = f"It could not be replaced: {why_not_replaced.summary}"
    parts = (error.detail, note, why_not_replaced.detail, *(problem.detail for problem in problems))
    return type(error)(error.summary, "\n".join(part for part in parts if part))
