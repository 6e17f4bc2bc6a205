"""Durations as users write them: `90s`, `30m`, `1h30m`."""

from __future__ import annotations

import re

from rpool.model.secret import shown

_DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?")


def seconds(text: str) -> int:
    """The seconds of a duration. Raises ValueError unless it is one of at least a second."""
    match = _DURATION.fullmatch(text)
    total = 0
    if match:
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        total = hours * 3600 + minutes * 60 + rest
    if not total:
        raise ValueError(f"{shown(text)} is not a duration such as 90s, 30m or 1h30m")
    return total


def text(seconds: int) -> str:
    """The shortest text for a duration: `10m` for 600."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
