"""Noting on servers what failed there, so that every cluster tries others first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rpool.decide.inspection import Findings
from rpool.errors import CommandFailed, RpoolError, TimedOut
from rpool.flow.look import ask_at_once
from rpool.flow.session import now
from rpool.model.action import Action, Init, Join, NoteFailure, Prepare, Reset
from rpool.model.failure import Failure
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.model.step import Ran
from rpool.model.world import World


def note_failed(ran: Ran, uid: PoolUid, session: int, cluster: str, world: World) -> None:
    """Note on servers what failed there. A server is set aside if it alone failed at what another
    has done: the cause is the server, and not what they share. One that a reset could not clean
    keeps its claim anyway.
    """
    done = {step.action.doing for step in ran.done}
    failed = Counter(step.action.doing for step, _ in ran.failed)

    def noted(action: Action, error: RpoolError) -> NoteFailure:
        alone = action.doing in done and failed[action.doing] == 1
        aside = alone and not isinstance(action, Reset)
        failure = Failure(now(), action.verb, cluster, error.summary, aside)
        return NoteFailure(action.server, uid, failure, session)

    _carry_out(
        world,
        [
            noted(step.action, error)
            for step, error in ran.failed
            if isinstance(step.action, Prepare | Init | Join | Reset)
            and isinstance(error, CommandFailed | TimedOut)
        ],
    )


def note_unfit(findings: Findings, cluster: str, world: World) -> None:
    """Note what a preflight found on servers that no cluster has claimed."""
    at = now()
    failures = {
        name: Failure(at, "preflight", cluster, sentences[0])
        for name, sentences in findings.items()
        if sentences
    }
    _carry_out(world, [NoteFailure(name, "", failure) for name, failure in failures.items()])


def _carry_out(world: World, actions: Iterable[NoteFailure]) -> None:
    """Errors of noting are dropped: they would only hide what failed."""
    todo = {action.server: action for action in actions}

    def carry_out(server: ServerName) -> None:
        world.carry_out(todo[server], NoteFailure.limit_seconds)

    ask_at_once(carry_out, todo)
