"""The limits, the log and the warnings of a verb of the engine, from a resource's values."""

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
    block = values["timeouts"]
    return block if isinstance(block, dict) else {}


def attempt(
    verb: str, default: str, values: Values, stop: threading.Event, warning_texts: list[str]
) -> Attempt:
    """An attempt that is limited by the verb's `timeouts` and logs each step. Warnings for the user
    are appended to `warning_texts`.
    """
    from rpool.api import Attempt

    text = timeouts(values).get(verb) or default
    return Attempt(timeout_seconds=seconds(text), stop=stop, log=_log, warn=warning_texts.append)


def warnings(texts: Iterable[str]) -> list[Diagnostic]:
    """The engine's warnings: the first line of each is its summary."""
    parts = (text.partition("\n") for text in texts)
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
