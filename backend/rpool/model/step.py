"""Steps: the actions of a plan and the order among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rpool.errors import Refused, RpoolError
from rpool.model.action import Action
from rpool.model.server import ServerName

StepName = str
"""Unique in a plan and fit for a person: `join r1u04`. Nothing reads anything out of it."""


@dataclass(frozen=True, slots=True)
class Step:
    """An action that may start when the steps in `needs` are done and those in `after` are over,
    whether they went well or not. `about` is the server that it is about, if it is about one;
    `verb` stands for the action's own where one action is used for two ends. Of one that is
    `optional` it is enough that it was tried.
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
    """What others that wait for these steps have in `needs` or `after`."""
    return frozenset(step.name for step in steps)


News = tuple[str, ...]
"""What a reset has found that came to its server, or was changed there, since the claim, and that
it leaves there: `new /etc/cron.d/backup`, `changed /root/.ssh/authorized_keys`, `unknown: WHY`. No
other action has any.
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a plan. `halted`: why steps were not started although none they need failed.
    `news`: of servers that were given back.
    """

    done: tuple[Step, ...]
    failed: tuple[tuple[Step, RpoolError], ...]
    halted: RpoolError | None = None
    news: Mapping[ServerName, News] = field(default_factory=dict)

    @property
    def error(self) -> RpoolError | None:
        """The one error to show: why we stopped, else the first failure."""
        return self.halted or next((error for _, error in self.failed), None)

    def did(self, kind: type[Action], server: ServerName) -> bool:
        """Whether an action of that kind was done about a server."""
        return any(isinstance(its.action, kind) and its.server == server for its in self.done)

    @property
    def may_have_changed(self) -> bool:
        """Whether anything was done, or may have been. Only a refusal says that nothing was."""
        return bool(self.done) or any(not isinstance(error, Refused) for _, error in self.failed)
