"""What failed on a server, as the server itself keeps it (see `reach/scripts/failed.sh`)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from rpool.errors import printable

FORMAT = 1
MOST_CHARACTERS = 200
MOST_KEPT = 20  # by a server, as in failed.sh


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure on a server since it was last a member: of `step` (prepare, join ...) for
    `cluster`, at `at` (RFC 3339), and why. With `aside` no cluster takes the server until a person
    lifts that; without it, other servers come first.
    """

    at: str
    step: str
    cluster: str
    why: str
    aside: bool = False  # last in the line, where claim.sh looks for it

    def __str__(self) -> str:
        return f"{self.step} for cluster {self.cluster} failed at {self.at}: {self.why}"

    def as_line(self) -> str:
        data = {
            k: v[:MOST_CHARACTERS] if isinstance(v, str) else v for k, v in asdict(self).items()
        }
        return json.dumps({"format": FORMAT, **data})

    @classmethod
    def of_line(cls, line: str) -> Failure:
        """The failure in a line from a server. A line that cannot be read sets the server aside."""
        try:
            data = json.loads(line)
            is_known = data.pop("format") == FORMAT
            aside = data.pop("aside") is not False
            texts = {key: printable(str(text)[:MOST_CHARACTERS]) for key, text in data.items()}
            if is_known:
                return cls(**texts, aside=aside)
        except (AttributeError, KeyError, ValueError, TypeError, RecursionError):
            pass
        return cls("?", "?", "?", "what is noted there cannot be read by this rpool", aside=True)
