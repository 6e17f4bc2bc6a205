"""What is left of a create that failed or was killed is taken over by the next one of that name.

Under a new uid, guarded by the old one, and only while no operation works on it: so a state that
has the old uid finds its cluster gone, and destroys nothing (page 15).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from rpool.attempt import Attempt
from rpool.decide.membership import claims_of
from rpool.errors import LockHeld, NewerFormat, Refused, RpoolError, Unreachable
from rpool.flow.locate import Swept
from rpool.flow.reconcile import Run, at_work
from rpool.model.action import TakeClaim, WriteRecord
from rpool.model.claim import Claim
from rpool.model.desired import Desired
from rpool.model.observed import Observed
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.record import Record
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.step import Step
from rpool.model.world import World


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
    silent: set[ServerName] = field(default_factory=set, init=False)

    def take_over(self) -> dict[ServerName, Role]:
        """The servers that are this cluster's now. Others that cannot be gone on with were reset,
        and those of a cluster that lives are left alone.

        Raises Refused where it is somebody else's, or where an operation works on it.
        """
        probed = self._probed()
        uids = sorted({claim.uid for claim in self._claims(probed).values()})
        taken: dict[ServerName, Role] = {}
        for uid in uids:
            ours = {name: its for name, its in probed.items() if its.claim_of(uid)}
            taken |= self._one(uid, ours)
        return taken

    def _probed(self) -> dict[ServerName, Probed]:
        swept = Swept.of(self.world, self.fleet.servers)
        self.silent.update(swept.silent)
        return swept.probed

    def _claims(self, probed: Mapping[ServerName, Probed]) -> dict[ServerName, Claim]:
        claims = {name: its.claim for name, its in probed.items() if its.claim is not None}
        return {name: its for name, its in claims.items() if its.pool == self.spec.name}

    def _one(self, uid: PoolUid, ours: Mapping[ServerName, Probed]) -> dict[ServerName, Role]:
        claims = claims_of(uid, ours)
        record = self._record(ours)
        if not _never_settled(ours, claims, record):
            self._refuse_the_same(uid, record)
            return {}
        self._refuse_others(claims)
        self._refuse_without(claims, record)
        planes = [n for n, its in claims.items() if its.role is Role.CONTROL_PLANE]
        try:
            with at_work(uid, self.spec.name, planes, self.fleet, self.world, self.attempt) as run:
                pool = Observed(uid).with_servers(*run.lock.look(claims))
                record = self._record({name: its.probed for name, its in pool.seen.items()})
                if self._goes_on(pool, record):
                    return self._taken(run, pool, record)
                return self._given_back(run, pool)
        except LockHeld as error:
            raise self._at_work(uid, claims) from error

    def _record(self, ours: Mapping[ServerName, Probed]) -> tuple[ServerName, Record | None] | None:
        """The record through a control plane that serves; None where none of them does."""
        for name, probed in ours.items():
            if probed.joined_control_plane:
                try:
                    return name, self.world.observe(name).record
                except NewerFormat:
                    raise
                except RpoolError:
                    continue
        return None

    def _refuse_the_same(
        self, uid: PoolUid, record: tuple[ServerName, Record | None] | None
    ) -> None:
        """A cluster with this name and this endpoint is there already: it is never adopted."""
        its = record[1] if record else None
        if its is None or its.spec.control_plane.endpoint != self.spec.control_plane.endpoint:
            return
        raise Refused(
            f"cluster {self.spec.name} is there already, with the same endpoint (uid {uid})",
            "A cluster that was made to its end belongs to whoever has its state. If no state has "
            f"it: terraform import rpool_cluster.NAME {uid}. Nothing was changed.",
        )

    def _refuse_others(self, claims: Mapping[ServerName, Claim]) -> None:
        claim = next(iter(claims.values()))
        if claim.owner != self.attempt.owner:
            raise Refused(
                f"{claim.owner} has begun to create a cluster {claim.pool} (since {claim.since})",
                f"It has {', '.join(sorted(claims))}. Ask them to finish or to destroy it. If it "
                f"is yours, set owner = {claim.owner!r} in the provider block; or import what is "
                f"left and give it back: terraform import rpool_cluster.NAME {claim.uid}. Nothing "
                "was changed.",
            )

    def _refuse_without(
        self, claims: Mapping[ServerName, Claim], record: tuple[ServerName, Record | None] | None
    ) -> None:
        """A server that does not answer now would stay claimed by a cluster that is no more."""
        its = record[1] if record else None
        lost = {name for name, server in self.fleet.servers.items() if server.lost}
        missing = sorted((its.members if its else {}).keys() - claims.keys() - lost)
        silent = [name for name in missing if name in self.silent]
        if silent:
            raise Unreachable(
                f"an earlier create of cluster {self.spec.name} has {', '.join(silent)}, which "
                "cannot be reached",
                "Bring it back and apply again; or mark it lost = true in the fleet if the "
                "hardware is gone. Nothing was changed.",
            )

    def _at_work(self, uid: PoolUid, claims: Mapping[ServerName, Claim]) -> Refused:
        claim = next(iter(claims.values()))
        return Refused(
            f"cluster {claim.pool} is being created at this moment, by {claim.owner} since "
            f"{claim.since}",
            f"Two configurations must not use one name. It has uid {uid}. Nothing was changed.",
        )

    def _goes_on(self, pool: Observed, record: tuple[ServerName, Record | None] | None) -> bool:
        """Whether what is there is the beginning of what is wanted, by its claims, and can be gone
        on with: nothing has joined yet, or the API serves.
        """
        claims, wanted = pool.claims.values(), self.spec.digest
        if any(claim.is_leaving or claim.request != wanted for claim in claims):
            return False
        return record is not None or not any(its.probed.joined for its in pool.seen.values())

    def _taken(
        self, run: Run, pool: Observed, record: tuple[ServerName, Record | None] | None
    ) -> dict[ServerName, Role]:
        """The record first, then the claims: what is cut off in between is found by the claims."""
        claims = pool.claims
        via, old = record or ("", None)
        steps: list[Step] = []
        if old is not None:
            new = replace(old, uid=self.uid, change=run.operation.change, generation=1)
            write = WriteRecord(via, claims[via].ownership, new, old.change)
            steps = [Step(write, verb="record taken over")]
        written = frozenset(step.name for step in steps)
        for name, claim in claims.items():
            mine = replace(
                claim,
                uid=self.uid,
                owner=self.attempt.owner,
                since=run.operation.since,
                epoch=1,
                session=1,
            )
            take = TakeClaim(name, mine, claim.ownership)
            steps.append(Step(take, name, needs=written, verb="take over"))
        self._carried_out(run, steps)
        self._say("goes on with what an earlier create has left", claims)
        return {name: claim.role for name, claim in claims.items()}

    def _given_back(self, run: Run, pool: Observed) -> dict[ServerName, Role]:
        """They are reset, and are spares like any other."""
        nobody = Desired(pool.uid, self.spec, {})
        self._carried_out(run, run.plan(nobody, pool).steps)
        self._say("begins anew: what an earlier create has left was reset", pool.claims)
        return {}

    def _say(self, what: str, servers: Iterable[ServerName]) -> None:
        self.attempt.warn(f"Cluster {self.spec.name} {what}: {', '.join(sorted(servers))}.")

    def _carried_out(self, run: Run, steps: tuple[Step, ...] | list[Step]) -> None:
        ran = run.carry_out(steps)
        if ran.error is not None:
            raise ran.error


def _never_settled(
    ours: Mapping[ServerName, Probed],
    claims: Mapping[ServerName, Claim],
    record: tuple[ServerName, Record | None] | None,
) -> bool:
    """Whether a cluster's create never came to its end, for certain: by its record, or by claims
    that are its first ones and of which one has yet to join.
    """
    if record is not None and record[1] is not None:
        return record[1].settled is None
    first = all(claim.epoch == 1 and not claim.is_leaving for claim in claims.values())
    return first and any(claim.is_joining for claim in claims.values())
