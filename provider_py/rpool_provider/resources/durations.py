"""Mistakes in attributes that are durations."""

from __future__ import annotations

from typing import Any

from rpool.errors import Path, Problem
from rpool.model.duration import seconds


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
