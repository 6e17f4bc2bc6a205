"""What a provider's log says of the steps of an apply, also while it is being written."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

from rpool.model.event import Result

_FIELD = re.compile(r' (server|step|outcome)=(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True)
class Said:
    """A line of the plugin's log: what became of a step."""

    server: str
    step: str
    outcome: Result


def said(log: Path) -> list[Said]:
    """The steps in a log so far, without a last line that is half written."""
    text = log.read_text() if log.exists() else ""
    whole = text.rpartition("\n")[0].splitlines()
    lines = [{k: quoted or bare for k, quoted, bare in _FIELD.findall(line)} for line in whole]
    return [
        Said(line["server"], line["step"], Result(line["outcome"]))
        for line in lines
        if len(line) == len(fields(Said))
    ]


def has_said(log: Path, step: str, outcome: Result) -> bool:
    """Whether the log has that outcome of such a step; `*` in its name is any server."""
    return any(fnmatchcase(line.step, step) and line.outcome is outcome for line in said(log))
