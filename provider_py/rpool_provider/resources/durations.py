"""Mistakes in attributes that are durations."""

from __future__ import annotations

from typing import Any

from rpool.errors import Path, Problem
from rpool.model.duration import seconds


def problems(durations: dict[str, Any], at: Path) -> list[Problem]:
    """What is wrong with an object of durations; null and unknown values are not checked."""
    problems_found = []
    for name, text in durations.items():
        if isinstance(text, str):
            try:
                seconds(text)
            except ValueError as error:
                problems_found.append(
                    Problem((*at, name), f"{'.'.join((*map(str, at), name))}: {error}")
                )
    return problems_found


def longer(inner: Any, inner_at: Path, outer: Any, outer_at: Path, default: str) -> list[Problem]:
    """An error where a duration that is part of another is longer. Null, unknown and malformed
    values are not checked.
    """
    try:
        is_longer = isinstance(inner, str) and seconds(inner) > seconds(outer or default)
    except (TypeError, ValueError):
        return []
    if not is_longer:
        return []
    names = (".".join(map(str, at)) for at in (inner_at, outer_at))
    summary = "{0} = {2} is longer than {1}, which is {3}".format(*names, inner, outer or default)
    return [Problem(inner_at, summary, "The change would time out first. Adjust one of the two.")]
