"""Steps: the actions of a plan and the order among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rpool.errors import Refused, RpoolError
from rpool.model.action import Action
from rpool.model.server import ServerName

StepName = str
"""Unique in a plan, and written for people: `join r1u04`. Nothing parses it."""


@dataclass(frozen=True, slots=True)
class Step:
    """An action that may start when the steps in `needs` are done and those in `after` are over,
    whether they succeeded or not. `about` is the server that the step is about, if any. `verb`
    replaces the action's own where one action serves two purposes. An `optional` step only has to
    be tried.
    """

    action: Action
    about: ServerName | None = None
    needs: frozenset[StepName] = frozenset()
    after: frozenset[StepName] = frozenset()
    verb: str = ""
    optional: bool = False

    @property
    def name(self) -> StepName:
        verb = self.verb or self.action.verb
        return f"{verb} {self.about}" if self.about else verb

    @property
    def server(self) -> ServerName:
        return self.about or self.action.server


def names(steps: Iterable[Step]) -> frozenset[StepName]:
    """The names of steps, for `needs` or `after` of steps that wait for them."""
    return frozenset(step.name for step in steps)


News = tuple[str, ...]
"""What a reset leaves on its server though it is new or was changed since the claim:
`new /etc/cron.d/backup`, `changed /root/.ssh/authorized_keys`, `unknown: WHY`. No other action has
any.
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a plan. `halted` says why steps were not started although none that they need
    failed. `news` is of servers that were given back.
    """

    done: tuple[Step, ...]
    failed: tuple[tuple[Step, RpoolError], ...]
    halted: RpoolError | None = None
    news: Mapping[ServerName, News] = field(default_factory=dict)

    @property
    def error(self) -> RpoolError | None:
        """The one error to show: why the plan was halted, else the first failure."""
        return self.halted or next((error for _, error in self.failed), None)

    def did(self, kind: type[Action], server: ServerName) -> bool:
        """Whether an action of that kind was done about a server."""
        return any(isinstance(step.action, kind) and step.server == server for step in self.done)

    @property
    def may_have_changed(self) -> bool:
        """Whether anything was done, or may have been. Only a refusal says that nothing was."""
        return bool(self.done) or any(not isinstance(error, Refused) for _, error in self.failed)
