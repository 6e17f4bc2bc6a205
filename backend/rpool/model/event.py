"""Events: the lines of the journal."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from enum import StrEnum

from rpool.errors import printable

FORMAT = 1
"""The format number in each line of the journal."""

MOST_CHARACTERS = 1000


class Result(StrEnum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal. `time` is RFC 3339 in UTC, `seconds` how long the step took; `owner`
    says who worked there, and `run` is the address of the run of a CI, "" without one.
    """

    time: str
    pool: str
    server: str
    step: str
    outcome: Result
    seconds: float = 0.0
    detail: str = ""
    owner: str = ""
    run: str = ""

    @classmethod
    def of_line(cls, line: str) -> Event | None:
        """The event in a line from a server; None if it is no event, or a newer rpool's. Servers
        are not trusted: no text in it is long or has control characters.
        """
        try:
            data = json.loads(line)
            is_known = data.pop("format") == FORMAT
            outcome, seconds = Result(data.pop("outcome")), float(data.pop("seconds"))
            texts = {key: printable(str(value)[:MOST_CHARACTERS]) for key, value in data.items()}
            if is_known and math.isfinite(seconds):
                return cls(**texts, outcome=outcome, seconds=seconds)
        except (AttributeError, KeyError, ValueError, TypeError, RecursionError):
            pass
        return None

    def as_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"))

    def __str__(self) -> str:
        duration = f" in {self.seconds:.1f} s" if self.outcome is not Result.STARTED else ""
        reason = f": {self.detail}" if self.detail else ""
        return f"{self.pool}: {self.step}: {self.outcome.value}{duration}{reason}"
