"""Telling whoever follows an operation what it waits for, where a fence takes long.

What was begun on a server may go on there for minutes after its operator was cut off, and nothing
is decided before it is over. Without a word of that, the apply just seems to hang.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from rpool.errors import RpoolError
from rpool.flow.journal import Journal
from rpool.model.claim import Claim, Fence
from rpool.model.event import Result
from rpool.model.pool import PoolUid
from rpool.model.seen import Probed, Working
from rpool.model.server import Role, ServerName
from rpool.model.step import StepName
from rpool.model.world import World

TOLD_AFTER_SECONDS = 10.0


class Told:
    """The probes of one operation. For each fence that takes long, the journal says once what it
    waits for, and then how it ended. `session` is the operation's number.
    """

    def __init__(
        self,
        world: World,
        uid: PoolUid,
        journal: Journal,
        session: Callable[[], int],
        after_seconds: float = TOLD_AFTER_SECONDS,
    ) -> None:
        self._world = world
        self._uid = uid
        self._journal = journal
        self._session = session
        self._after_seconds = after_seconds
        self._claims: dict[ServerName, Claim] = {}  # of control planes that have answered

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        with self._reporting(server) if fence is not None else nullcontext():
            probed = self._world.probe(server, fence)
        self._remember(probed)
        return probed

    @contextmanager
    def _reporting(self, server: ServerName) -> Iterator[None]:
        begun, step = time.monotonic(), f"wait for {server}"
        telling, over, reported = threading.Lock(), threading.Event(), threading.Event()

        def tell() -> None:
            why = self._why(server)
            with telling:
                if not over.is_set():
                    reported.set()
                    self._note(server, step, Result.STARTED, 0.0, why)

        def ended(how: Result, why: str = "") -> None:
            with telling:
                over.set()
                if reported.is_set():
                    seconds = time.monotonic() - begun
                    self._note(server, step, how, seconds, why)

        timer = threading.Timer(self._after_seconds, tell)
        timer.daemon = True
        timer.start()
        try:
            yield
        except RpoolError as error:
            ended(Result.FAILED, error.summary)
            raise
        else:
            ended(Result.DONE)
        finally:
            timer.cancel()

    def _why(self, server: ServerName) -> str:
        """What keeps the fence waiting, as far as the server can be asked beside it."""
        try:
            self._remember(self._world.probe(server))
            return _as_text(self._world.working(server))
        except RpoolError as error:
            return f"it does not answer ({error.summary})"

    def _remember(self, probed: Probed) -> None:
        claim = probed.claim_of(self._uid)
        if claim is not None and claim.role is Role.CONTROL_PLANE:
            self._claims[probed.server] = claim

    def _note(
        self, server: ServerName, step: StepName, how: Result, seconds: float, why: str
    ) -> None:
        """Journal it now. Until a plan is made, nothing has settled where the journal is kept: it
        is kept on the control planes that have answered by then.
        """
        claims = {} if self._journal.is_kept else dict(self._claims)
        for name, claim in claims.items():
            self._journal.keep_on(name, replace(claim.ownership, session=self._session()))
        self._journal.note(server, step, how, seconds, why)


def _as_text(working: Working | None) -> str:
    if working is None:
        return "it takes long to answer"
    began = f"{working.doing} began there {working.seconds:.0f} s ago and is still running"
    return (
        f"{began if working.doing else 'a step is still running there'}; "
        "it ends, or its own time limit ends it, before anything else is done"
    )
