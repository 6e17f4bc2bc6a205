"""What is left of a create that failed or was killed is taken over by the next one of that name.

Under a new uid, guarded by the old one, and only while no operation works on it: so a state that
has the old uid finds its cluster gone, and destroys nothing (page 15).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from rpool.advice import Do
from rpool.attempt import Attempt, not_in_fleet
from rpool.certificates import ca_pin
from rpool.decide.membership import claims_of, lost_in
from rpool.decide.remains import Remains, Shown, whole
from rpool.decide.view import of_spec
from rpool.errors import LockHeld, NewerFormat, Refused, RpoolError, Unreachable
from rpool.flow.locate import Swept
from rpool.flow.reconcile import Run, at_work
from rpool.model.action import TakeClaim, WriteRecord
from rpool.model.claim import Claim
from rpool.model.desired import Desired
from rpool.model.observed import Observed
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.record import Member, Record
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.step import Step
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

MOST_MISSED = 8
"""Servers that one warning names."""


class Namesake(Exception):
    """A server that was looked at has the claim of a cluster of the same name."""


@dataclass(frozen=True)
class Resume:
    """What is left of an earlier create of cluster `spec.name`, for the one with `uid`."""

    uid: PoolUid
    spec: PoolSpec
    fleet: Fleet
    world: World
    attempt: Attempt
    # What the state had of it until now, if it had anything: its servers are to be found.
    left: PoolView | None = None
    silent: set[ServerName] = field(default_factory=set, init=False)
    # Servers that may be this cluster's now, also when taking over ended early.
    taken: dict[ServerName, Role] = field(default_factory=dict, init=False)
    # What is being given back.
    _going: list[PoolView] = field(default_factory=list, init=False)
    # The CA of what was taken over, as its pin; what has another is given back.
    _cas: list[str] = field(default_factory=list, init=False)

    @property
    def going(self) -> PoolView | None:
        """What was begun to be given back, and may still be claimed."""
        return self._going[0] if self._going else None

    @property
    def has_begun(self) -> bool:
        """Whether something of it may be claimed that no state has."""
        return bool(self.taken or self._going)

    def take_over(self, since: str) -> set[PoolUid]:
        """The clusters of that name that there were. What never came to its end is this cluster's
        now (`taken`), by claims that say `since`, or was reset where it cannot be gone on with.

        Raises Refused where it is somebody else's, or where an operation works on it.
        """
        probed = self._probed()
        uids = {claim.uid for claim in self._claims(probed).values()}
        found = [self._remains(uid, probed) for uid in sorted(uids)]
        left = [its for its in whole(found) if self._is_left(its)]
        for its in left:
            self._refuse_others(its.claims)
            self._refuse_without(its)
        for its in left:
            self._one(its, since)
        return uids

    def _remains(self, uid: PoolUid, probed: Mapping[ServerName, Probed]) -> Remains:
        ours = {name: its for name, its in probed.items() if its.claim_of(uid)}
        joined = frozenset(name for name, its in ours.items() if its.joined)
        return Remains(uid, claims_of(uid, ours), joined, self._shown(ours))

    def _is_left(self, its: Remains) -> bool:
        """Whether it is of a create that never came to its end. Raises Refused where it may be a
        cluster of that name. The state that had it knows what no record says.
        """
        said = self.left is not None and self.left.uid == its.uid and its.record is None
        if said or its.never_settled(all_answered=not self._missed):
            return True
        self._refuse_the_same(its)
        return False

    @property
    def _missed(self) -> set[ServerName]:
        return self.silent - lost_in(self.fleet)

    def _probed(self) -> dict[ServerName, Probed]:
        swept = Swept.of(self.world, self.fleet.servers)
        self.silent.update(swept.silent)
        return dict(sorted(swept.probed.items()))

    def _claims(self, probed: Mapping[ServerName, Probed]) -> dict[ServerName, Claim]:
        claims = {name: its.claim for name, its in probed.items() if its.claim is not None}
        return {name: its for name, its in claims.items() if its.pool == self.spec.name}

    def _one(self, its: Remains, since: str) -> None:
        uid, claims = its.uid, its.claims
        planes = [n for n, claim in claims.items() if claim.role is Role.CONTROL_PLANE]
        try:
            with at_work(uid, self.spec.name, planes, self.fleet, self.world, self.attempt) as run:
                seen, silent = run.lock.look(claims)
                if silent:  # it would stay claimed by a cluster that is no more
                    raise next(iter(silent.values()))
                pool = Observed(uid).with_servers(seen, silent)
                if not pool.claims:
                    return  # somebody else has given it back by now
                shown = self._shown({name: sighting.probed for name, sighting in seen.items()})
                pin = _pin(pool, shown)
                another = bool(pin and self._cas and pin not in self._cas)
                if self._goes_on(pool, shown or (its.shown if its.of else None)) and not another:
                    self._taken_over(run, pool, shown, since)
                    self._cas.extend([pin] if pin else [])
                else:
                    self._given_back(run, pool)
                self._say_missed(uid)
        except LockHeld as error:
            raise self._at_work(uid, claims) from error

    def _shown(self, ours: Mapping[ServerName, Probed]) -> Shown | None:
        """The API through a control plane that serves; None where none of them does."""
        for name in (name for name, its in ours.items() if its.joined_control_plane):
            try:
                return name, self.world.observe(name)
            except NewerFormat:
                raise
            except RpoolError:
                continue
        return None

    def _refuse_the_same(self, remains: Remains) -> None:
        """A cluster of this name is there already: it is never adopted."""
        name, uid = self.spec.name, remains.uid
        if remains.record is None:
            raise Refused(
                f"a cluster {name} is there already (uid {uid}), and none of its control planes "
                "shows its record",
                f"It has {', '.join(sorted(remains.claims))}. Nothing was changed. "
                + Do.IMPORT_SILENT.text(uid=uid),
            )
        raise Refused(
            f"cluster {name} is there already (uid {uid})",
            "A cluster that was made to its end belongs to whoever has its state. Nothing was "
            f"changed. {Do.IMPORT.text(uid=uid)}",
        )

    def _refuse_others(self, claims: Mapping[ServerName, Claim]) -> None:
        claim = next(iter(claims.values()))
        if claim.owner != self.attempt.owner:
            raise Refused(
                f"{claim.owner} has begun to create a cluster {claim.pool} (since {claim.since})",
                f"It has {', '.join(sorted(claims))}. Nothing was changed. "
                + Do.FINISH_CREATE.text(owner=json.dumps(claim.owner), uid=claim.uid),
            )

    def _refuse_without(self, remains: Remains) -> None:
        """A server that does not answer now would stay claimed by a cluster that is no more."""
        members = remains.record.members.keys() if remains.record else set()
        nodes = remains.shown[1].nodes.keys() if remains.shown else set()
        had = self.left.servers.keys() if self.left else set()
        known = {*members, *nodes, *had} - remains.claims.keys()
        if absent := sorted(known - self.fleet.servers.keys()):
            raise not_in_fleet(f"an earlier create of cluster {self.spec.name}", absent)
        if silent := sorted(known & self._missed):
            raise Unreachable(
                f"an earlier create of cluster {self.spec.name} has {', '.join(silent)}, which "
                "cannot be reached",
                f"Nothing was changed. {Do.BRING_BACK.text(servers=', '.join(silent))}",
            )

    def _at_work(self, uid: PoolUid, claims: Mapping[ServerName, Claim]) -> Refused:
        claim = next(iter(claims.values()))
        return Refused(
            f"cluster {claim.pool} is being created at this moment, by {claim.owner} since "
            f"{claim.since}",
            f"It has uid {uid}. Nothing was changed. Two configurations must not use one name. "
            + Do.OTHER_NAME.text(),
        )

    def _goes_on(self, pool: Observed, shown: Shown | None) -> bool:
        """Whether what is there is the beginning of what is wanted, by its claims, and can be gone
        on with: nothing has joined yet, or the API serves.
        """
        claims, wanted = pool.claims.values(), self.spec.digest
        if any(claim.is_leaving or claim.request != wanted for claim in claims):
            return False
        return shown is not None or not any(its.probed.joined for its in pool.seen.values())

    def _taken_over(self, run: Run, pool: Observed, shown: Shown | None, since: str) -> None:
        """The record first, then the claim of the server that serves it, then the others: what is
        cut off in between is found by the claims.
        """
        claims = pool.claims
        steps: list[Step] = []
        if shown is not None:
            through, old = shown[0], shown[1].record or self._blank(pool)
            new = replace(old, uid=self.uid, change=run.operation.change, generation=1)
            write = WriteRecord(through, claims[through].ownership, new, old.change)
            steps = [Step(write, verb="record taken over")]
            claims = {through: claims[through], **claims}
        for name, claim in claims.items():
            mine = replace(
                claim,
                uid=self.uid,
                owner=self.attempt.owner,
                since=since,
                epoch=1,
                session=1,
            )
            take = TakeClaim(name, mine, claim.ownership)
            needs = frozenset(step.name for step in steps[:2] if shown)
            steps.append(Step(take, name, needs, verb="take over"))
        self.taken.update({name: claim.role for name, claim in claims.items()})
        self._carried_out(run, steps)
        self._say("goes on with what an earlier create has left", claims)

    def _members(self, pool: Observed) -> dict[ServerName, Member]:
        servers = self.fleet.servers
        return {n: Member.of(servers[n], its.role) for n, its in pool.claims.items()}

    def _blank(self, pool: Observed) -> Record:
        return Record(pool.uid, "", 0, 0, None, self.spec, self._members(pool))

    def _given_back(self, run: Run, pool: Observed) -> None:
        """They are reset, and are spares like any other."""
        nobody = Desired(pool.uid, self.spec, {})
        view = of_spec(pool.uid, self.spec, self._members(pool), Condition.INCOMPLETE, "")
        self._going.append(view)
        self._carried_out(run, run.plan(nobody, pool).steps)
        self._going.clear()
        self._say("begins anew: what an earlier create has left was reset", pool.claims)

    def _say(self, what: str, servers: Iterable[ServerName]) -> None:
        self.attempt.warn(f"Cluster {self.spec.name} {what}: {', '.join(sorted(servers))}.")

    def _say_missed(self, uid: PoolUid) -> None:
        """Whoever was not reached, and that create had claimed, stays claimed."""
        if not (missed := sorted(self._missed)):
            return
        more = [f"{len(missed) - MOST_MISSED} more"] if len(missed) > MOST_MISSED else []
        server = missed[0] if len(missed) == 1 else "SERVER"
        self.attempt.warn(
            f"Whether the earlier create of cluster {self.spec.name} (uid {uid}) has claimed "
            f"{', '.join([*missed[:MOST_MISSED], *more])} is not known: no answer. rpool list "
            f"shows it, once back. {Do.RELEASE.text(server=server, uid=uid)}"
        )

    def _carried_out(self, run: Run, steps: tuple[Step, ...] | list[Step]) -> None:
        ran = run.carry_out(steps)
        if ran.error is not None:
            raise ran.error


def _pin(pool: Observed, shown: Shown | None) -> str:
    """The pin of the CA that what is left of a create has by now; "" where it has none."""
    if shown is not None:
        return ca_pin(shown[1].ca_certificate)
    return next((claim.ca_pin for claim in pool.claims.values() if claim.ca_pin), "")
