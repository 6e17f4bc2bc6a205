"""Carrying out steps: each starts when those it needs are done, all that can run do so at once.

When a step fails, only those that need it are skipped. Nothing new starts once a stop was
requested, the time is up or the session lock is lost; what runs is waited for. The outcome of each
step is returned, not raised: the caller observes the world again and plans from there.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from graphlib import TopologicalSorter

from rpool.advice import Do
from rpool.errors import (
    Bug,
    Interrupted,
    OutcomeUnknown,
    Overtaken,
    Refused,
    RpoolError,
    TimedOut,
    Unreachable,
    as_rpool_error,
)
from rpool.flow.news import enumerated
from rpool.model.action import Action, Prepare, WriteRecord
from rpool.model.event import Result
from rpool.model.server import ServerName
from rpool.model.step import News, Ran, Step, StepName
from rpool.model.world import World

_NOT_TRIED = (Overtaken, Unreachable, OutcomeUnknown)
"""Errors of an optional step that say nothing about its subject: a drain lost the control plane
that it went through, say.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a run early. `deadline` is on the monotonic clock."""

    deadline: float
    stop: threading.Event
    lock_lost: Callable[[], bool]

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def broken(self) -> RpoolError | None:
        if self.stop.is_set():
            return Interrupted("stopped on request", "No further step was started.")
        if self.seconds_left <= 0:
            return TimedOut("this operation has run out of time", Do.RAISE_TIMEOUT.text())
        if self.lock_lost():
            summary = "the cluster's session lock was lost"
            return OutcomeUnknown(summary, f"Contact broke for over 30 s. {Do.AGAIN.text()}")
        return None


@dataclass
class Execution:
    """Carries out `steps`, once. `tell` is called as each begins and ends, with the seconds that it
    took and why it failed. `bind` fills in what is known only once earlier steps are done. It may
    raise, or return None where nothing is left to do.
    """

    steps: Sequence[Step]
    world: World
    tell: Callable[[Step, Result, float, str], None]
    limits: Limits
    bind: Callable[[Action], Action | None]

    def __post_init__(self) -> None:
        self._running: dict[StepName, float] = {}
        self._done: dict[StepName, Step] = {}
        self._failed: list[tuple[Step, RpoolError]] = []
        self._halted: RpoolError | None = None
        self._news: dict[ServerName, News] = {}
        self._results: queue.Queue[tuple[Step, RpoolError | None, News]] = queue.Queue()
        self._named = {step.name: step for step in self.steps}
        # A step that is not in this run counts as over.
        before = {s.name: sorted((s.needs | s.after) & self._named.keys()) for s in self.steps}
        self._order = TopologicalSorter(before)
        self._order.prepare()

    def to_the_end(self) -> Ran:
        """Run each step that can run; returns what came of each."""
        with ThreadPoolExecutor(self.world.at_once, thread_name_prefix="step") as pool:
            self._start(pool)
            while self._running:
                self._take(*self._results.get())
                self._start(pool)
        done, failed = tuple(self._done.values()), tuple(self._failed)
        return Ran(done, failed, self._halted, self._news)

    def _start(self, pool: ThreadPoolExecutor) -> None:
        ready = self._ready()
        if ready:
            self._halted = self._halted or self.limits.broken()
        if self._halted is not None:
            return
        for step in ready:
            self._running[step.name] = time.monotonic()
            self.tell(step, Result.STARTED, 0.0, "")
        together = [step for step in ready if isinstance(step.action, Prepare)]
        if together:
            pool.submit(self._prepare, together)
        for step in ready:
            if not isinstance(step.action, Prepare):
                pool.submit(self._carry_out, step)

    def _ready(self) -> list[Step]:
        """The steps that can start now. One that needs a failed or skipped one never does."""
        ready: list[Step] = []
        while names := self._order.get_ready():
            for step in (self._named[name] for name in names):
                if step.needs <= self._done.keys():
                    ready.append(step)
                else:
                    self._order.done(step.name)
        return ready

    def _take(self, step: Step, error: RpoolError | None, news: News) -> None:
        seconds = time.monotonic() - self._running.pop(step.name)
        self._order.done(step.name)
        if error is None:
            self._done[step.name] = step
            if news:
                self._news[step.server] = news
            self.tell(step, Result.DONE, seconds, enumerated(news))
            return
        self.tell(step, Result.FAILED, seconds, error.summary)
        if step.optional and not isinstance(error, _NOT_TRIED):
            self._done[step.name] = step
            return
        self._failed.append((step, error))
        refused = isinstance(step.action, WriteRecord) and isinstance(error, Refused)
        if refused or isinstance(error, Overtaken):
            self._halted = error  # another operation works on the cluster

    def _seconds(self, action: Action) -> float:
        return max(1.0, min(action.limit_seconds, self.limits.seconds_left))

    def _carry_out(self, step: Step) -> None:
        error: RpoolError | None = None
        news: News = ()
        try:
            action = self.bind(step.action)
            if action is not None:
                news = self.world.carry_out(action, self._seconds(action))
        except Exception as caught:  # a thread must always answer, or the run would hang
            error = as_rpool_error(caught, step.name)
        self._results.put((step, error, news))

    def _prepare(self, steps: list[Step]) -> None:
        pending = {step.action.server: step for step in steps}

        def done(server: ServerName, error: RpoolError | None) -> None:
            self._results.put((pending.pop(server), error, ()))

        actions = [
            action for step in steps if isinstance(action := self.bind(step.action), Prepare)
        ]
        cause: Exception = Bug("preparation ended without a result for this server")
        try:
            self.world.prepare(actions, self._seconds(actions[0]), done)
        except Exception as error:  # as in `_carry_out`
            cause = error
        for step in list(pending.values()):
            self._results.put((step, as_rpool_error(cause, step.name), ()))
