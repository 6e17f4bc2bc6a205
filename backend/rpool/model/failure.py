"""What a server failed at, as it keeps it itself (see `reach/scripts/failed.sh`)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from rpool.errors import printable

FORMAT = 1
MOST_CHARACTERS = 200
MOST_KEPT = 20  # by a server, as in failed.sh


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that a server failed at since it was last a member: `step` (prepare, join ...) of
    `cluster`, at `at` (RFC 3339), and why. With `aside` no cluster takes the server until a person
    lifts that; without, other servers come first.
    """

    at: str
    step: str
    cluster: str
    why: str
    aside: bool = False  # the last in its line: claim.sh looks for it

    def __str__(self) -> str:
        return f"{self.step} for cluster {self.cluster} failed at {self.at}: {self.why}"

    def as_line(self) -> str:
        its = {k: v[:MOST_CHARACTERS] if isinstance(v, str) else v for k, v in asdict(self).items()}
        return json.dumps({"format": FORMAT, **its})

    @classmethod
    def of_line(cls, line: str) -> Failure:
        """The failure in a line. It is the server's word; one that cannot be read sets aside."""
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
