"""What the CIS Kubernetes Benchmark 1.12 asks for, in our words: the entries of the YAML files.

An entry's id is its number there. An entry with an exception is one that rpool's clusters do not
meet: the test asserts that as well, so that an exception goes with its reason.

Not here is what no machine can decide: who is given certificates and accounts (3.1.1, 3.1.2), and
how users arrange their own objects (5.4.2, 5.6.1, 5.6.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    id: str
    holds: str  # a sentence: what must be so
    kind: str  # how to find out; see kinds.py
    wanted: Any  # of that kind
    exception: str = ""  # why it is not so


def each_control_plane() -> list[Entry]:
    return _read("each_control_plane")


def each_server() -> list[Entry]:
    return _read("each_server")


def cluster() -> list[Entry]:
    return _read("cluster")


def _read(name: str) -> list[Entry]:
    written = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return [_entry(**entry) for entry in written]


def _entry(id: str, holds: str, exception: str = "", **kind: Any) -> Entry:
    [(name, wanted)] = kind.items()
    return Entry(id, holds, name, wanted, exception)


def many(value: Any) -> list[Any]:
    """A list where one may be written as itself."""
    return list(value) if isinstance(value, list) else [value]
