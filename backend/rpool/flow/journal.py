"""The journal: each step as an event, told to the caller at once and kept on the cluster's servers.

Writing on the servers happens in the background, in batches, and never fails a step. A line that
could not be written is tried again with the next ones; the caller has been told anyway.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rpool.attempt import Attempt
from rpool.errors import RpoolError
from rpool.model.action import AppendJournal, Reset, TakeClaim
from rpool.model.claim import Ownership
from rpool.model.event import Event, Result
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName
from rpool.model.world import World

WRITE_SECONDS = 15.0


@dataclass
class Kept:
    """The journal on one server: the claim that it is written under, and lines not yet there."""

    ownership: Ownership
    unwritten: list[str] = field(default_factory=list)


class Journal:
    """A cluster's journal for the length of one verb. Use as a context manager; thread-safe."""

    def __init__(self, pool: str, world: World, by: Attempt) -> None:
        self._pool = pool
        self._world = world
        self._by = by
        self._who = by.owner, by.run
        self._kept: dict[ServerName, Kept] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._writer = threading.Thread(target=self._write_forever, daemon=True, name="journal")

    def __enter__(self) -> Journal:
        self._writer.start()
        return self

    def __exit__(self, *failure: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._writer.join()

    def tell(self, step: Step, outcome: Result, seconds: float, detail: str) -> None:
        """Note that a step began, or how it ended after `seconds`. Control planes keep the journal
        from their claim until their reset.
        """
        match outcome, step.action:
            case Result.STARTED, Reset():
                with self._changed:
                    self._kept.pop(step.server, None)
            case Result.DONE, TakeClaim(claim=claim) if claim.role is Role.CONTROL_PLANE:
                self.keep_on(step.server, claim.ownership)
        self.note(step.server, step.name, outcome, seconds, detail)

    def note(
        self, server: ServerName, step: StepName, outcome: Result, seconds: float, detail: str
    ) -> None:
        """As `tell`, for what is no action."""
        now, took = datetime.now(UTC).isoformat(timespec="milliseconds"), round(seconds, 2)
        event = Event(now, self._pool, server, step, outcome, took, detail, *self._who)
        self._by.log(event)
        with self._changed:
            for kept in self._kept.values():
                kept.unwritten.append(event.as_json())
            self._changed.notify_all()

    @property
    def is_kept(self) -> bool:
        """Whether any server keeps it."""
        with self._changed:
            return bool(self._kept)

    def keep_on(self, server: ServerName, ownership: Ownership) -> None:
        """Keep the journal on this control plane, too, from now on."""
        with self._changed:
            self._kept.setdefault(server, Kept(ownership)).ownership = ownership

    def _write_forever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._batches())
                last, batches = self._closing, self._batches()
            written = [self._write(*batch) for batch in batches]
            if last:
                return
            if batches and not any(written):
                with self._changed:
                    self._changed.wait(timeout=1.0)

    def _batches(self) -> list[tuple[Kept, AppendJournal]]:
        return [
            (kept, AppendJournal(server, kept.ownership, tuple(kept.unwritten)))
            for server, kept in self._kept.items()
            if kept.unwritten
        ]

    def _write(self, kept: Kept, batch: AppendJournal) -> bool:
        try:
            self._world.carry_out(batch, WRITE_SECONDS)
        except RpoolError:
            return False
        with self._changed:
            del kept.unwritten[: len(batch.lines)]
        return True
