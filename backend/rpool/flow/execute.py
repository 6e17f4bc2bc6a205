"""Carrying out steps: each starts when those it needs are done, all that can run do so at once.

A failed step takes only those that need it along. Nothing new starts once somebody asked us to
stop, the time is up or the session lock is lost; what runs is waited for. What came of each step is
returned, not raised: the caller looks at the world again and plans from there.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from rpool.errors import (
    Bug,
    Interrupted,
    OutcomeUnknown,
    Overtaken,
    Refused,
    RpoolError,
    TimedOut,
    as_rpool_error,
)
from rpool.model.action import Action, Prepare, WriteRecord
from rpool.model.server import ServerName
from rpool.model.step import Ran, Step, StepName
from rpool.model.world import World


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a run early. `deadline` is on the monotonic clock."""

    deadline: float
    stop: threading.Event
    lock_lost: Callable[[], bool] = lambda: False

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def broken(self) -> RpoolError | None:
        if self.stop.is_set():
            return Interrupted("stopped on request", "No further step was started.")
        if self.seconds_left <= 0:
            return TimedOut("the time for this operation is up", "Raise it in timeouts { }.")
        if self.lock_lost():
            summary = "the cluster's session lock was lost"
            return OutcomeUnknown(summary, "Contact broke for over 30 s. Run it again.")
        return None


class Listener(Protocol):
    """Is told of each step as it begins and ends."""

    def started(self, step: Step) -> None: ...

    def done(self, step: Step, seconds: float) -> None: ...

    def failed(self, step: Step, seconds: float, error: RpoolError) -> None: ...


Bind = Callable[[Action], Action | None]


def carry_out(
    steps: Sequence[Step],
    world: World,
    journal: Listener,
    limits: Limits,
    bind: Bind = lambda action: action,
) -> Ran:
    """Runs `steps` and returns what came of each. `bind` fills in what is known only once earlier
    steps are done. It may raise, or return None where nothing is left to do.
    """
    return _Run(steps, world, journal, limits, bind).to_the_end()


class _Run:
    def __init__(
        self, steps: Sequence[Step], world: World, journal: Listener, limits: Limits, bind: Bind
    ) -> None:
        self._waiting = {step.name: step for step in steps}
        self._world = world
        self._journal = journal
        self._limits = limits
        self._bind = bind
        self._running: dict[StepName, float] = {}
        self._done: dict[StepName, Step] = {}
        self._failed: dict[StepName, tuple[Step, RpoolError]] = {}
        self._over: set[StepName] = set()
        self._halted: RpoolError | None = None
        self._results: queue.Queue[tuple[Step, RpoolError | None]] = queue.Queue()

    def to_the_end(self) -> Ran:
        with ThreadPoolExecutor(self._world.at_once, thread_name_prefix="step") as pool:
            while True:
                self._start_what_can(pool)
                if not self._running:
                    break
                self._take(*self._results.get())
        if self._waiting and not self._failed and self._halted is None:
            self._halted = Bug(f"steps wait for each other: {', '.join(self._waiting)}")
        return Ran(tuple(self._done.values()), tuple(self._failed.values()), self._halted)

    def _start_what_can(self, pool: ThreadPoolExecutor) -> None:
        self._skip_what_cannot()
        ready = [step for step in self._waiting.values() if self._is_ready(step)]
        if not ready:
            return
        self._halted = self._halted or self._limits.broken()
        if self._halted is not None:
            return
        for step in ready:
            del self._waiting[step.name]
            self._running[step.name] = time.monotonic()
            self._journal.started(step)
        together = [step for step in ready if isinstance(step.action, Prepare)]
        if together:
            pool.submit(self._prepare, together)
        for step in ready:
            if not isinstance(step.action, Prepare):
                pool.submit(self._one, step)

    def _is_ready(self, step: Step) -> bool:
        return step.needs <= self._done.keys() and step.after <= self._over

    def _skip_what_cannot(self) -> None:
        """Steps that need a failed or skipped one are over too, without having run."""
        while failed := self._over - self._done.keys():
            lost = [step for step in self._waiting.values() if step.needs & failed]
            if not lost:
                return
            for step in lost:
                del self._waiting[step.name]
                self._over.add(step.name)

    def _take(self, step: Step, error: RpoolError | None) -> None:
        seconds = time.monotonic() - self._running.pop(step.name)
        self._over.add(step.name)
        if error is None:
            self._done[step.name] = step
            self._journal.done(step, seconds)
            return
        self._failed[step.name] = (step, error)
        self._journal.failed(step, seconds, error)
        refused = isinstance(step.action, WriteRecord) and isinstance(error, Refused)
        if refused or isinstance(error, Overtaken):
            self._halted = error  # another operation works on the cluster

    def _seconds(self, action: Action) -> float:
        return max(1.0, min(action.limit_seconds, self._limits.seconds_left))

    def _one(self, step: Step) -> None:
        try:
            action = self._bind(step.action)
            if action is not None:
                self._world.carry_out(action, self._seconds(action))
        except Exception as error:  # a thread must always answer, or the run would hang
            self._results.put((step, as_rpool_error(error, step.name)))
        else:
            self._results.put((step, None))

    def _prepare(self, steps: list[Step]) -> None:
        open_ = {step.action.server: step for step in steps}

        def done(server: ServerName, error: RpoolError | None) -> None:
            self._results.put((open_.pop(server), error))

        bound = [self._bind(step.action) for step in steps]
        actions = [action for action in bound if isinstance(action, Prepare)]
        cause: Exception = Bug("preparation ended without a word about this server")
        try:
            self._world.prepare(actions, self._seconds(actions[0]), done)
        except Exception as error:  # the same
            cause = error
        for step in list(open_.values()):
            self._results.put((step, as_rpool_error(cause, step.name)))
