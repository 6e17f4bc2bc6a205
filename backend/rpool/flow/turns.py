"""Threads that ask at about the same time take turns by name, not by chance.

Terraform plans independent resources at once, in any order, and does so again in the apply. The
clusters that it makes must choose their servers in the same order both times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Turns of the threads of one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[str, object]] = []
        self._last = 0.0  # when a thread last came

    @contextmanager
    def turn(self, name: str, quiet_seconds: float) -> Iterator[None]:
        """Enter the block alone, once no thread has come for `quiet_seconds` and no earlier name
        waits.
        """
        ticket = (name, object())
        with self._changed:
            self._waiting.append(ticket)
            self._last = time.monotonic()
            self._changed.notify_all()
            while (seconds := self._seconds_left(ticket, quiet_seconds)) is None or seconds > 0:
                self._changed.wait(seconds)
            try:
                yield
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _seconds_left(self, ticket: tuple[str, object], quiet_seconds: float) -> float | None:
        """How long the ticket has to wait at least; None: until another is done."""
        first = min(self._waiting, key=lambda other: other[0])
        return self._last + quiet_seconds - time.monotonic() if first is ticket else None
