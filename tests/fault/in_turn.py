"""Runs the engine on one thread: what it does at once happens in an order drawn from the seed.

A schedule that cannot be run again is worth little. So this is the one place where parts of the
engine are replaced for tests: its threads, its random numbers, and the clock that it stamps claims
with. A look is answered as it is asked. Steps of a plan that were started together are carried out
in an order that is drawn: every order that is allowed is met sooner or later.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

from rpool.flow import (
    access,
    choose,
    execute,
    journal,
    look,
    neighbours,
    observe,
    offers,
    preflight,
    session,
    survey,
)
from rpool.model.action import Action
from rpool.model.step import Step
from rpool.simulate import machine
from rpool_provider.resources import attempts

AT_ONCE = (access, choose, look, neighbours, offers, preflight, survey)
"""Modules that ask servers at once."""

ALL = (*AT_ONCE, execute, journal, observe, session)

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = 3
"""Times that an operator waits for another create before it gives up."""


class Stop(threading.Event):
    """A wait for it takes no time; after `PATIENCE` waits it counts as set."""

    def __init__(self) -> None:
        super().__init__()
        self._waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self._waits += 1
        return self.is_set() or self._waits > PATIENCE


class InTurn:
    """What has been started and is not over, for the operator at work and for those that wait."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.clock_ahead = timedelta()
        self._ticks = 0
        self._started: list[list[tuple[Callable[[], object], Step | None]]] = []
        self._numbers = 0

    def under_way(self) -> list[Action]:
        """The actions that this operator has started and that have yet to be carried out."""
        started = self._started[-1] if self._started else []
        return [step.action for _, step in started if step is not None]

    def now(self, zone: object = None) -> datetime:
        self._ticks += 1
        return BEGINNING + timedelta(seconds=self._ticks) + self.clock_ahead

    def seconds(self) -> float:
        """The clusters' clock, which no operator's jump changes. Each call moves it on."""
        self._ticks += 1
        return (BEGINNING + timedelta(seconds=self._ticks)).timestamp()

    def done(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """A future that is over. It hashes by number, so a set has the same order in each run."""
        self._numbers += 1
        future = _Numbered(self._numbers)
        try:
            future.set_result(call(*arguments))
        except BaseException as error:
            future.set_exception(error)
        return future

    @contextmanager
    def steps(self) -> Iterator[None]:
        self._started.append([])
        try:
            yield
        finally:
            self._started.pop()

    def start(self, call: Callable[..., object], *arguments: Any) -> None:
        step = arguments[0] if arguments and isinstance(arguments[0], Step) else None
        self._started[-1].append((lambda: call(*arguments), step))

    def one_step(self) -> None:
        started = self._started[-1]
        call, _ = started.pop(self.chance.randrange(len(started)))
        call()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """One thread, and its clocks."""
        with (
            self.one_thread(),
            mock.patch.object(session, "datetime", self),
            mock.patch.object(machine, "time", SimpleNamespace(time=self.seconds)),
        ):
            yield

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        in_turn = self

        class AtOnce(Executor):
            def __init__(self, *_: Any, **__: Any) -> None: ...

            def submit(self, fn: Callable[..., Any], /, *arguments: Any, **__: Any) -> Future[Any]:
                return in_turn.done(fn, *arguments)

            def map(self, fn: Callable[..., Any], *iterables: Any, **__: Any) -> Iterator[Any]:
                return iter([fn(*arguments) for arguments in zip(*iterables, strict=True)])

        class Steps(AtOnce):
            def __enter__(self) -> Steps:
                self._stack = ExitStack()
                self._stack.enter_context(in_turn.steps())
                return self

            def __exit__(self, *_: object) -> None:
                self._stack.close()

            def submit(self, fn: Callable[..., Any], /, *arguments: Any, **__: Any) -> Future[Any]:
                in_turn.start(fn, *arguments)
                return Future()

        class Results(list[Any]):
            put = list.append

            def get(self) -> Any:
                while not self:
                    in_turn.one_step()
                return self.pop(0)

        class Thread:
            """Runs when it is joined. What an unjoined one would ask is asked when needed."""

            def __init__(self, *, target: Callable[[], None], **_: Any) -> None:
                self.start: Callable[[], None] = lambda: None
                self.join = target

        threads = SimpleNamespace(**{**vars(threading), "Thread": Thread})
        with ExitStack() as stack:
            for module in AT_ONCE:
                stack.enter_context(mock.patch.object(module, "ThreadPoolExecutor", AtOnce))
            for module, name, replacement in (
                (execute, "ThreadPoolExecutor", Steps),
                (execute, "queue", SimpleNamespace(Queue=_generic(Results))),
                (journal, "threading", threads),
                (offers, "threading", threads),
                (observe, "random", self.chance),
                (offers, "random", self.chance),
                (attempts, "hclog", SimpleNamespace(log=lambda *_, **__: None)),
            ):
                stack.enter_context(mock.patch.object(module, name, replacement))
            yield


class _Numbered(Future[Any]):
    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


def _generic(kind: type) -> Any:
    """`queue.Queue[...]()` as well as `queue.Queue()`."""

    class Queue(kind):  # type: ignore[misc]
        def __class_getitem__(cls, _: object) -> type:
            return cls

    return Queue
