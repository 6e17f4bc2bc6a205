"""Where the time of a plan goes: a line for each start of the plugin and each call of it.

Terraform's own log has the moments; a call lasts until the log's next line about the provider.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

_EXITED = "exited"
_WORDS = {
    "starting plugin: path": "start",
    "using plugin: version": "connect",
    "plugin process exited": _EXITED,
}


def calls(plan: Callable[[Path], object], runs: int) -> None:
    """Print the least of several plans. `plan` makes one, with Terraform's TRACE log in a file."""
    with tempfile.TemporaryDirectory(prefix="rpool-bench-") as name:
        logs = [Path(name) / str(number) for number in range(runs)]
        for log in logs:
            plan(log)
        columns = [list(_lasted(log)) for log in logs]
    print(f"calls of a refresh and plan, ms (least of {runs})")
    for row in zip(*columns, strict=True):
        name, _ = row[0]
        print(f"  {name:24} {min(milliseconds for _, milliseconds in row):4.0f}")


def _lasted(log: Path) -> Iterator[tuple[str, float]]:
    """Each start of the plugin, and each call of it, with its milliseconds."""
    moments = list(_moments(log))
    for (name, begin), (_, end) in pairwise(moments):
        if name != _EXITED:
            yield name, (end - begin) * 1000


def _moments(log: Path) -> Iterator[tuple[str, float]]:
    for line in log.read_text(errors="replace").splitlines():
        names = re.findall(r"GRPCProvider\.v6: (\w+)$", line)
        names += [word for text, word in _WORDS.items() if text in line]
        if names:
            yield names[0], datetime.fromisoformat(line.split()[0]).timestamp()
