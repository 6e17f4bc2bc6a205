"""Putting scripts together: quoted assignments, files of functions, and a call of `main`.

The files in `scripts/` are plain POSIX sh. What an action needs to know comes to them as variables
whose values are quoted here, and nowhere else is shell text made. The result travels by standard
input, so no value, secret or not, is ever in an argument list or an environment.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal


def compose(
    parts: Sequence[str],
    variables: Mapping[str, str],
    stdin: Literal["script", "heartbeat"] = "script",
) -> str:
    """The script that `parts` make with `variables` set: names in `scripts/`, or in a folder that
    is named (`cni/NAME`), without `.sh`.

    Everything but the last line only defines things: a transfer that is cut runs nothing. What runs
    then reads nothing of the standard input by which the script came, unless that is not how.
    """
    call = "main </dev/null" if stdin == "script" else "main"
    assignments = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*assignments, *(_text(part) for part in parts), call, ""])


@cache
def _text(part: str) -> str:
    path = part if "/" in part else f"scripts/{part}"
    return files("rpool.reach").joinpath(f"{path}.sh").read_text("utf-8")
