"""What is left of a create that failed or was killed is taken over by the next one of that name.

It is taken over under a new uid, guarded by the old one, and only while no operation works on it:
so a state that has the old uid finds its cluster gone, and destroys nothing (page 15).
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
    """A server that was probed has the claim of a cluster of the same name."""


@dataclass(frozen=True)
class Resume:
    """What is left of an earlier create of cluster `spec.name`, for the one with `uid`."""

    uid: PoolUid
    spec: PoolSpec
    fleet: Fleet
    world: World
    attempt: Attempt
    # What the state had of it until now, if anything: its servers must be found.
    left: PoolView | None = None
    silent: set[ServerName] = field(default_factory=set, init=False)
    # Servers that may be this cluster's now, also when taking over ended early.
    taken: dict[ServerName, Role] = field(default_factory=dict, init=False)
    # What is being given back.
    _going: list[PoolView] = field(default_factory=list, init=False)
    # Pin of the CA of what was taken over. What has another CA is given back.
    _cas: list[str] = field(default_factory=list, init=False)

    @property
    def going(self) -> PoolView | None:
        """The servers that are being given back, and may still be claimed."""
        return self._going[0] if self._going else None

    @property
    def has_begun(self) -> bool:
        """Whether servers of it may be claimed that no state has."""
        return bool(self.taken or self._going)

    def take_over(self, since: str) -> set[PoolUid]:
        """Take over what is left of creates of that name; returns the uids of all clusters that had
        it. What never ended is this cluster's now (`taken`), by claims that say `since`, or was
        reset where it is of no use.

        Raises Refused where it is another owner's, or where an operation works on it.
        """
        probed = self._probed()
        uids = {claim.uid for claim in self._claims(probed).values()}
        all_remains = [self._remains(uid, probed) for uid in sorted(uids)]
        unfinished = [remains for remains in whole(all_remains) if self._is_left(remains)]
        for remains in unfinished:
            self._refuse_others(remains.claims)
            self._refuse_without(remains)
        for remains in unfinished:
            self._resume(remains, since)
        return uids

    def _remains(self, uid: PoolUid, probed: Mapping[ServerName, Probed]) -> Remains:
        claimed = {name: p for name, p in probed.items() if p.claim_of(uid)}
        joined = frozenset(name for name, p in claimed.items() if p.joined)
        return Remains(uid, claims_of(uid, claimed), joined, self._shown(claimed))

    def _is_left(self, remains: Remains) -> bool:
        """Whether it is of a create that never ended; where no record says so, the state that had
        it does. Raises Refused where it may be a whole cluster of that name.
        """
        in_state = self.left is not None and self.left.uid == remains.uid and remains.record is None
        if in_state or remains.never_settled(all_answered=not self._missed):
            return True
        self._refuse_the_same(remains)
        return False

    @property
    def _missed(self) -> set[ServerName]:
        return self.silent - lost_in(self.fleet)

    def _probed(self) -> dict[ServerName, Probed]:
        swept = Swept.of(self.world, self.fleet.servers)
        self.silent.update(swept.silent)
        return dict(sorted(swept.probed.items()))

    def _claims(self, probed: Mapping[ServerName, Probed]) -> dict[ServerName, Claim]:
        claims = {name: p.claim for name, p in probed.items() if p.claim is not None}
        return {name: claim for name, claim in claims.items() if claim.pool == self.spec.name}

    def _resume(self, remains: Remains, since: str) -> None:
        uid, claims = remains.uid, remains.claims
        control_planes = [n for n, claim in claims.items() if claim.role is Role.CONTROL_PLANE]
        try:
            with at_work(
                uid, self.spec.name, control_planes, self.fleet, self.world, self.attempt
            ) as run:
                seen, silent = run.lock.look(claims)
                if silent:  # it would stay claimed by a cluster that is gone
                    raise next(iter(silent.values()))
                pool = Observed(uid).with_servers(seen, silent)
                if not pool.claims:
                    return  # somebody else has given it back by now
                shown = self._shown({name: sighting.probed for name, sighting in seen.items()})
                pin = _pin(pool, shown)
                other_ca = bool(pin and self._cas and pin not in self._cas)
                if (
                    self._goes_on(pool, shown or (remains.shown if remains.of else None))
                    and not other_ca
                ):
                    self._taken_over(run, pool, shown, since)
                    self._cas.extend([pin] if pin else [])
                else:
                    self._given_back(run, pool)
                self._say_missed(uid)
        except LockHeld as error:
            raise self._at_work(uid, claims) from error

    def _shown(self, probes: Mapping[ServerName, Probed]) -> Shown | None:
        """The API through a control plane that serves; None where none of them does."""
        for name in (name for name, probed in probes.items() if probed.joined_control_plane):
            try:
                return name, self.world.observe(name)
            except NewerFormat:
                raise
            except RpoolError:
                continue
        return None

    def _refuse_the_same(self, remains: Remains) -> None:
        """Raises Refused: a cluster of this name exists already, and is never adopted."""
        name, uid = self.spec.name, remains.uid
        if remains.record is None:
            raise Refused(
                f"cluster {name} already exists (uid {uid}), and none of its control planes shows "
                "its record",
                f"It has {', '.join(sorted(remains.claims))}. Nothing was changed. "
                + Do.IMPORT_SILENT.text(uid=uid),
            )
        raise Refused(
            f"cluster {name} already exists (uid {uid})",
            "A complete cluster belongs to whoever has its state. Nothing was "
            f"changed. {Do.IMPORT.text(uid=uid)}",
        )

    def _refuse_others(self, claims: Mapping[ServerName, Claim]) -> None:
        claim = next(iter(claims.values()))
        if claim.owner != self.attempt.owner:
            raise Refused(
                f"{claim.owner} has started to create cluster {claim.pool} (since {claim.since})",
                f"It has {', '.join(sorted(claims))}. Nothing was changed. "
                + Do.FINISH_CREATE.text(owner=json.dumps(claim.owner), uid=claim.uid),
            )

    def _refuse_without(self, remains: Remains) -> None:
        """Raises where a server of it is out of reach: it would stay claimed by a gone cluster."""
        members = remains.record.members.keys() if remains.record else set()
        nodes = remains.shown[1].nodes.keys() if remains.shown else set()
        in_state = self.left.servers.keys() if self.left else set()
        known = {*members, *nodes, *in_state} - remains.claims.keys()
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
        """Whether this create can go on from what is there: by its claims it was begun for the same
        request, and either nothing has joined yet, or the API serves.
        """
        claims, wanted = pool.claims.values(), self.spec.digest
        if any(claim.is_leaving or claim.request != wanted for claim in claims):
            return False
        return shown is not None or not any(
            sighting.probed.joined for sighting in pool.seen.values()
        )

    def _taken_over(self, run: Run, pool: Observed, shown: Shown | None, since: str) -> None:
        """Take over the record, then the claim of the server that serves it, then the others. If
        that is cut off in between, what is left is found by the claims.
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
            new_claim = replace(
                claim,
                uid=self.uid,
                owner=self.attempt.owner,
                since=since,
                epoch=1,
                session=1,
            )
            take = TakeClaim(name, new_claim, claim.ownership)
            needs = frozenset(step.name for step in steps[:2] if shown)
            steps.append(Step(take, name, needs, verb="take over"))
        self.taken.update({name: claim.role for name, claim in claims.items()})
        self._carried_out(run, steps)
        self._say("continues an interrupted create", claims)

    def _members(self, pool: Observed) -> dict[ServerName, Member]:
        servers = self.fleet.servers
        return {n: Member.of(servers[n], claim.role) for n, claim in pool.claims.items()}

    def _blank(self, pool: Observed) -> Record:
        return Record(pool.uid, "", 0, 0, None, self.spec, self._members(pool))

    def _given_back(self, run: Run, pool: Observed) -> None:
        """Reset the servers, which are spares like any other then."""
        empty = Desired(pool.uid, self.spec, {})
        view = of_spec(pool.uid, self.spec, self._members(pool), Condition.INCOMPLETE, "")
        self._going.append(view)
        self._carried_out(run, run.plan(empty, pool).steps)
        self._going.clear()
        self._say("starts over: the leftovers of an interrupted create were reset", pool.claims)

    def _say(self, what: str, servers: Iterable[ServerName]) -> None:
        self.attempt.warn(f"Cluster {self.spec.name} {what}: {', '.join(sorted(servers))}.")

    def _say_missed(self, uid: PoolUid) -> None:
        """Warn of servers out of reach: one that the earlier create has claimed stays claimed."""
        if not (missed := sorted(self._missed)):
            return
        more = [f"{len(missed) - MOST_MISSED} more"] if len(missed) > MOST_MISSED else []
        server = missed[0] if len(missed) == 1 else "SERVER"
        self.attempt.warn(
            f"Whether the earlier create of cluster {self.spec.name} (uid {uid}) has claimed "
            f"{', '.join([*missed[:MOST_MISSED], *more])} is unknown: no answer. rpool list "
            f"shows it once they answer. {Do.RELEASE.text(server=server, uid=uid)}"
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
