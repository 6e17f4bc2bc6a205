"""How often each step of an operation was tried over its rounds, and the last error of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rpool.decide.plan import Plan
from rpool.errors import RpoolError
from rpool.model import action as act
from rpool.model.server import ServerName
from rpool.model.step import Ran, Step, StepName

MOST = 2
"""Tries of one step, where its error says that trying again may help."""

_Key = tuple[type[act.Action], ServerName]


class Tries:
    def __init__(self) -> None:
        self._failed: Counter[_Key] = Counter()
        self._errors: dict[_Key, RpoolError] = {}

    def untried(self, steps: Sequence[Step]) -> list[Step]:
        """The steps without those that failed for good, and without those that need them."""
        todo: list[Step] = []
        skipped: set[StepName] = set()
        for step in steps:
            if self._failed[_key(step)] >= MOST or step.needs & skipped:
                skipped.add(step.name)
            else:
                todo.append(step)
        record_writes = [step for step in todo if isinstance(step.action, act.WriteRecord)]
        return todo if len(todo) > len(record_writes) or not skipped else []

    def note(self, ran: Ran, worded: Callable[[Step, RpoolError], RpoolError]) -> None:
        """Note what came of a round, its errors as users read them (`worded`). Earlier failures of
        a server that was reset no longer count.
        """
        done = {_key(step) for step in ran.done}
        reset = {server for kind, server in done if kind is act.Reset}
        self._failed = Counter({k: n for k, n in self._failed.items() if k[1] not in reset})
        outdated = {key for key in self._errors if key in done or key[1] in reset}
        self._errors = {key: error for key, error in self._errors.items() if key not in outdated}
        for step, error in ran.failed:
            self._failed[_key(step)] += 1 if error.retryable else MOST
            self._errors[_key(step)] = worded(step, error)

    def may_help_again(self, ran: Ran) -> bool:
        """Whether any step that failed may succeed in another round. Others are not tried again."""
        return any(self._failed[_key(step)] < MOST for step, _ in ran.failed)

    def told(self, todo: Plan, ran: Ran) -> list[RpoolError]:
        """Why the round was halted, and the last error of each step that is still to be done."""
        pending = {_key(step) for step in todo.steps}
        errors = [e for key, e in self._errors.items() if key in pending and e is not ran.halted]
        return [ran.halted, *errors] if ran.halted else errors


def _key(step: Step) -> _Key:
    return type(step.action), step.server
