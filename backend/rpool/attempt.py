"""What goes into a verb of the engine, and what comes out when it gets only part of the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rpool.decide.target import Offer
from rpool.errors import RpoolError
from rpool.model.event import Event
from rpool.model.pool import PoolSpec
from rpool.model.server import ServerName
from rpool.model.view import PoolView

Log = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a verb is to be carried out: how long at most, when to stop, whom to tell.

    `owner` is who works here, for claims and records; `warn` gets sentences for the user.
    """

    timeout_seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    log: Log = lambda event: None
    owner: str = ""
    warn: Callable[[str], None] = lambda text: None


class PoolIncomplete(RpoolError):
    """A verb that got only part of the way. `view` is what there is now (None: nothing). `usable`:
    a create's API serves on all of its control planes, so that the next apply can mend the rest.
    """

    def __init__(self, cause: RpoolError, view: PoolView | None, *, usable: bool = False) -> None:
        super().__init__(cause.summary, cause.detail)
        self.cause = cause
        self.view = view
        self.usable = usable


@dataclass(frozen=True, slots=True)
class Found:
    """What a read found: the cluster (None: it is gone), warnings, and what the next plan works
    from: members half in (`joining`) and half out (`leaving`), and the offer. `spec` is the request
    in the cluster's record; None without contact.
    """

    view: PoolView | None
    warnings: tuple[str, ...] = ()
    joining: frozenset[ServerName] = frozenset()
    leaving: frozenset[ServerName] = frozenset()
    offer: Offer = field(default_factory=Offer)
    spec: PoolSpec | None = None
