"""Steps: the actions of a plan and the order among them."""

from __future__ import annotations

from dataclasses import dataclass

from rpool.model.action import Action
from rpool.model.server import ServerName

StepName = str
"""Unique in a plan and fit for a person: `join r1u04`."""


@dataclass(frozen=True, slots=True)
class Step:
    """An action that may start when the steps in `needs` are done and those in `after` are over,
    whether they went well or not. `server` is whom it is about.
    """

    name: StepName
    server: ServerName
    action: Action
    needs: frozenset[StepName] = frozenset()
    after: frozenset[StepName] = frozenset()
