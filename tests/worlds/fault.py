"""What can go wrong between the engine and its servers, as data.

    Fault(act.Join, CommandFailed("no"), servers=name)             it does not happen
    Fault(act.Join, OutcomeUnknown("?"), AFTER, first=2, times=1)  it happens, its answer is lost
    Fault(act.Drain, Break.KILLED, AFTER)                          no server is reached any more
    Fault(act.Prepare, Break.LOCKS_LOST, AFTER)                    locks that are held are lost
    Fault(Lock, Refused("busy"), servers=name)                     a lock that is not given
    Fault(Packages, lambda look: ...)                              somebody else acts before a look
    Fault(Probe, Answer(lambda p: replace(p, joined=False)))       a look shows something else

`worlds.faulty` makes them happen, as long as a test wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args

from rpool.model.action import Action, AppendJournal
from rpool.model.claim import Fence
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName


class Moment(Enum):
    BEFORE = "before"
    INSTEAD = "instead of"
    """Only for an action: it is reported as done."""
    AFTER = "after"
    """It had its effect. For a lock: it was released."""


BEFORE, INSTEAD, AFTER = Moment


class Break(Enum):
    """What breaks, and stays broken as long as the fault is there."""

    KILLED = "killed"
    """No server is reached any more; the outcome of all that is under way is lost."""
    LOCKS_LOST = "locks lost"


@dataclass(frozen=True)
class Answer:
    """Changes the answer of a look on its way."""

    change: Callable[[Any], Any]


@dataclass(frozen=True)
class Look:
    server: ServerName


@dataclass(frozen=True)
class Probe(Look):
    fence: Fence | None = None


class Observe(Look):
    pass


class Encryption(Look):
    pass


class EtcdMembers(Look):
    pass


class Sign(Look):
    pass


class Packages(Look):
    pass


class AddressAnswers(Look):
    pass


class AskWorking(Look):
    pass


class ReachesApi(Look):
    pass


class ReadJournal(Look):
    pass


class ReadRequests(Look):
    pass


class Inspect(Look):
    pass


@dataclass(frozen=True)
class Lock:
    server: ServerName
    uid: PoolUid


Call = Action | Look | Lock

ACTIONS: tuple[type, ...] = get_args(Action)
CHANGES = tuple(kind for kind in ACTIONS if kind is not AppendJournal)

Does = Exception | Break | Answer | Callable[[Any], object]
"""A function is called with the call. It may wait; other calls go on meanwhile."""


@dataclass(frozen=True, eq=False)
class Fault:
    on: type | tuple[type, ...]  # kinds of actions and looks
    does: Does
    at: Moment = BEFORE
    servers: ServerName | Collection[ServerName] | None = None  # None: any
    where: Callable[[Any], bool] = lambda call: True
    first: int = 1  # the first call struck, counted among those that match
    times: int | None = None  # how many calls are struck from there on (None: all)
    sure: bool = True  # a test in which it does not happen fails

    def __post_init__(self) -> None:
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        assert not isinstance(self.does, type), "an error, not its type"
        assert self.at is not INSTEAD or set(kinds) <= set(ACTIONS), "a look has an Answer instead"
        assert not isinstance(self.does, Answer) or all(issubclass(k, Look) for k in kinds)

    @property
    def name(self) -> str:
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        what = (
            "any action" if self.on in (ACTIONS, CHANGES) else "/".join(k.__name__ for k in kinds)
        )
        does = self.does.value if isinstance(self.does, Break) else type(self.does).__name__
        return f"{does} {self.at.value} {what}"

    def matches(self, call: Call, moment: Moment) -> bool:
        among = (self.servers,) if isinstance(self.servers, str) else self.servers
        return (
            (moment is AFTER if isinstance(self.does, Answer) else moment is self.at)
            and isinstance(call, self.on)
            and (among is None or call.server in among)
            and self.where(call)
        )
