"""The parameters that all verbs of the engine share, and their results and errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rpool.advice import Do
from rpool.decide.health import NO_REPAIRS, Repairs
from rpool.decide.target import Offer
from rpool.errors import Problem, Refused, RpoolError, SpecError, Unreachable
from rpool.model.claim import Claim
from rpool.model.event import Event
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.server import Roles, ServerName
from rpool.model.view import PoolView

Log = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a verb is to be carried out: for how long at most, when to stop, and where events go.

    `owner` says who runs it, for claims and records. `run` is the address of a CI run, for the
    journal. `warn` gets sentences for the user.
    """

    timeout_seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    log: Log = lambda event: None
    owner: str = ""
    run: str = ""
    warn: Callable[[str], None] = lambda text: None


class PoolIncomplete(RpoolError):
    """A verb got only part of the way. `view` is what there is now (None: nothing), `done` says
    which servers joined and left. `usable`: a create's API serves on all of its control planes, so
    that the next apply can mend the rest.
    """

    def __init__(
        self, cause: RpoolError, view: PoolView | None, done: str = "", *, usable: bool = False
    ) -> None:
        problems = cause.problems if isinstance(cause, SpecError) else ()
        parts = (cause.detail, *(problem.detail for problem in problems), done)
        super().__init__(cause.summary, "\n".join(part for part in parts if part))
        self.cause = cause
        self.view = view
        self.usable = usable


@dataclass(frozen=True, slots=True)
class Advice:
    """What a plan can say of a create. `likely`: the role of each server that it would pick.
    `doubt`: why some of these may not be free; "" when all were observed to be. `earlier`: picks
    with the claim of an earlier cluster of that name, which goes on or is given back first.
    `fits`: not known to be too large for what is free now. `strange`: servers that were passed over
    for their host key; a create stops at them.
    """

    likely: Roles
    doubt: str = ""
    earlier: Mapping[ServerName, Claim] = field(default_factory=dict)
    fits: bool = True
    strange: Mapping[ServerName, RpoolError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a read observed: the cluster (None: it is gone), warnings, and what the next plan works
    from: members whose join (`joining`) or departure (`leaving`) is unfinished, and the offer.
    `spec` is the request in the cluster's record; None without contact. `nobody`: none of its
    servers answers, and several are not marked lost. `repairs`: of members unwell for too long.
    """

    view: PoolView | None
    warnings: tuple[str, ...] = ()
    joining: frozenset[ServerName] = frozenset()
    leaving: frozenset[ServerName] = frozenset()
    offer: Offer = field(default_factory=Offer)
    spec: PoolSpec | None = None
    nobody: bool = False
    repairs: Repairs = NO_REPAIRS


class NoSuchPool(SpecError):
    """No server that answered has a claim of the cluster. `certain`: all servers of the fleet have
    answered, except those marked lost.
    """

    def __init__(self, problem: Problem, certain: bool) -> None:
        super().__init__([problem])
        self.certain = certain


class NoApi(Unreachable):
    """No control plane of a cluster shows its API; `view` has its servers."""

    def __init__(self, view: PoolView, summary: str, detail: str) -> None:
        super().__init__(summary, detail)
        self.view = view


class Remains(NoApi):
    """Claims are all that is left of a cluster: no control plane has its record. Its create or its
    destroy was interrupted.
    """


def not_in_fleet(what: str, missing: Sequence[ServerName], where: str = "") -> Refused:
    """The error about something with servers that the fleet lacks, so that none of them was asked.
    It is not gone: they may be claimed and running.
    """
    return Refused(
        f"{what} has {', '.join(missing)}, which the fleet does not have {where}".rstrip(),
        "It is not found on any server of this fleet. Is this the fleet of its site? If the entry "
        f"was removed, nobody can give the server back. {Do.PUT_ENTRY_BACK.text()}",
    )


@dataclass(frozen=True, slots=True)
class NodeFound:
    """What a read observed of a pinned server. `spec` is None when it is not in the cluster.

    `incomplete`: its join or its departure was cut off. It may be claimed, cordoned or half reset,
    and counts as in the cluster until its departure is finished. `unreachable`: nothing could be
    observed. `ca_pin` is that of the cluster's CA; `warnings` are for the user.
    """

    spec: NodeSpec | None
    incomplete: bool = False
    unreachable: bool = False
    ca_pin: str = ""
    warnings: tuple[str, ...] = ()
