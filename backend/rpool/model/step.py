"""Steps: the actions of a plan and the order among them."""

from __future__ import annotations

from dataclasses import dataclass

from rpool.model.action import Action
from rpool.model.server import ServerName

StepName = str
"""Unique in a plan and fit for a person: `join r1u04`. Nothing reads anything out of it."""


@dataclass(frozen=True, slots=True)
class Step:
    """An action that may start when the steps in `needs` are done and those in `after` are over,
    whether they went well or not. `about` is the server that it is about, if it is about one;
    `verb` stands for the action's own where one action is used for two ends.
    """

    action: Action
    about: ServerName | None = None
    needs: frozenset[StepName] = frozenset()
    after: frozenset[StepName] = frozenset()
    verb: str = ""

    @property
    def name(self) -> StepName:
        verb = self.verb or self.action.verb
        return f"{verb} {self.about}" if self.about else verb

    @property
    def server(self) -> ServerName:
        return self.about or self.action.server
