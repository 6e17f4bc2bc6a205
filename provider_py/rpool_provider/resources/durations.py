"""Durations as users write them: `90s`, `30m`, `1h30m`."""

from __future__ import annotations

import re
from typing import Any

from rpool.errors import Path, Problem

_DURATION = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")


def seconds(text: str) -> int:
    """Raises ValueError unless it is a duration of at least a second."""
    match = _DURATION.fullmatch(text)
    total = 0
    if match:
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        total = hours * 3600 + minutes * 60 + rest
    if not total:
        raise ValueError(f'"{text}" is not a duration such as 90s, 30m or 1h30m')
    return total


def problems(durations: dict[str, Any], at: Path) -> list[Problem]:
    """What is wrong with an object of durations; what is null or unknown is not looked at."""
    found = []
    for name, text in durations.items():
        if isinstance(text, str):
            try:
                seconds(text)
            except ValueError as error:
                found.append(Problem((*at, name), f"{'.'.join((*map(str, at), name))}: {error}"))
    return found
