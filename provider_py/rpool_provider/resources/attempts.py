"""How a verb of the engine is to be carried out, by what a resource says of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rpool.model.duration import seconds
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources.resource import Values
from rpool_provider.wire import hclog

if TYPE_CHECKING:
    from rpool.api import Attempt
    from rpool.model.event import Event


def timeouts(values: Values) -> Values:
    found = values["timeouts"]
    return found if isinstance(found, dict) else {}


def attempt(
    verb: str, default: str, values: Values, stop: threading.Event, said: list[str]
) -> Attempt:
    """At most as long as `timeouts` says of the verb; each step is a log line. What the user is to
    be warned of is appended to `said`.
    """
    from rpool.api import Attempt

    text = timeouts(values).get(verb) or default
    return Attempt(timeout_seconds=seconds(text), stop=stop, log=_log, warn=said.append)


def warnings(said: Iterable[str]) -> list[Diagnostic]:
    """The engine's warnings: the first line of each is its summary."""
    parts = (text.partition("\n") for text in said)
    return [diagnostic.warning(summary, detail) for summary, _, detail in parts]


def _log(event: Event) -> None:
    hclog.log(
        "info",
        str(event),
        pool=event.pool,
        server=event.server,
        step=event.step,
        outcome=event.outcome.value,
    )
