"""Whoever asks at about the same time gets its turn by name, not by chance.

Terraform plans all that is independent at once, in any order, and does so again in the apply. The
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
        self._last = 0.0  # when somebody came

    @contextmanager
    def turn(self, name: str, quiet_seconds: float) -> Iterator[None]:
        """Alone in the block, once nobody has come for `quiet_seconds` and no name before this one
        waits.
        """
        mine = (name, object())
        with self._changed:
            self._waiting.append(mine)
            self._last = time.monotonic()
            self._changed.notify_all()
            while (left := self._seconds_left(mine, quiet_seconds)) is None or left > 0:
                self._changed.wait(left)
            try:
                yield
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()

    def _seconds_left(self, mine: tuple[str, object], quiet_seconds: float) -> float | None:
        """For which it has to wait at least; None until somebody else is done."""
        first = min(self._waiting, key=lambda its: its[0])
        return self._last + quiet_seconds - time.monotonic() if first is mine else None
