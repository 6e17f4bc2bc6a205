"""Events: what the journal is made of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

FORMAT = 1
"""Of a line of the journal."""


class Result(StrEnum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal. `time` is RFC 3339 in UTC, `seconds` how long the step took."""

    time: str
    pool: str
    server: str
    step: str
    outcome: Result
    seconds: float = 0.0
    detail: str = ""

    def as_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"))

    def __str__(self) -> str:
        took = f" in {self.seconds:.1f} s" if self.outcome is not Result.STARTED else ""
        why = f": {self.detail}" if self.detail else ""
        return f"{self.pool}: {self.step}: {self.outcome.value}{took}{why}"
