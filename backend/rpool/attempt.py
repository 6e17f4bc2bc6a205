"""What goes into a verb of the engine, and what comes out when it gets only part of the way."""

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
    """How a verb is to be carried out: how long at most, when to stop, whom to tell.

    `owner` is who works here, for claims and records, and `run` the address of a CI's run, for the
    journal; `warn` gets sentences for the user.
    """

    timeout_seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    log: Log = lambda event: None
    owner: str = ""
    run: str = ""
    warn: Callable[[str], None] = lambda text: None


class PoolIncomplete(RpoolError):
    """A verb that got only part of the way. `view` is what there is now (None: nothing), `done` who
    came and went. `usable`: a create's API serves on all of its control planes, so that the next
    apply can mend the rest.
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
    """What a plan may say beforehand: the likely picks, role by server name, and why some of them
    may not be free ("" when they were seen to be). Those with the claim of an `earlier` cluster of
    that name are gone on with, or given back before. `fits`: not known to be too much for what is
    free now. `strange`: servers that were passed over for their host key, at which a create stops.
    """

    likely: Roles
    doubt: str = ""
    earlier: Mapping[ServerName, Claim] = field(default_factory=dict)
    fits: bool = True
    strange: Mapping[ServerName, RpoolError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a read found: the cluster (None: it is gone), warnings, and what the next plan works
    from: members half in (`joining`) and half out (`leaving`), and the offer. `spec` is the request
    in the cluster's record; None without contact. `nobody`: none of its servers answers, and
    several are not marked lost. `repairs` are of members that are not well for too long.
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
    """No server that answered has a claim of the cluster. `certain`: all of the fleet answered, but
    for servers that are marked lost.
    """

    def __init__(self, problem: Problem, certain: bool) -> None:
        super().__init__([problem])
        self.certain = certain


class NoApi(Unreachable):
    """A cluster of which no control plane shows the API; `view` has its servers."""

    def __init__(self, view: PoolView, summary: str, detail: str) -> None:
        super().__init__(summary, detail)
        self.view = view


class Remains(NoApi):
    """What is left of a cluster: claims, and no control plane that has its record. Its create or
    its destroy was cut off.
    """


def not_in_fleet(what: str, missing: Sequence[ServerName], where: str = "") -> Refused:
    """The error about something whose servers the fleet does not have, so that nobody asked them.
    They may be claimed and running: it is not gone.
    """
    return Refused(
        f"{what} has {', '.join(missing)}, which the fleet does not have {where}".rstrip(),
        "It is not found on any server of this fleet. Is this the fleet of its site? If the entry "
        f"was removed, nobody can give the server back. {Do.PUT_ENTRY_BACK.text()}",
    )


@dataclass(frozen=True, slots=True)
class NodeFound:
    """What a read found of a pinned server: None when it is not in the cluster (any more).

    `incomplete`: its join or its departure was cut off. It may be claimed, cordoned or half reset,
    and counts as in the cluster until its departure is finished. `unreachable`: nothing could be
    observed. `ca_pin` is that of the cluster's CA; `warnings` are for the user.
    """

    spec: NodeSpec | None
    incomplete: bool = False
    unreachable: bool = False
    ca_pin: str = ""
    warnings: tuple[str, ...] = ()
