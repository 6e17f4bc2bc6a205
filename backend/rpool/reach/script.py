"""Composes scripts of quoted assignments, files of functions, and a call of `main`.

The files in `scripts/` are plain POSIX sh. An action's values reach them as variables that are
quoted here; shell text is made nowhere else. The script goes to the server on standard input, so
no value, secret or not, is ever in an argument list or an environment.
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
    """The script of `parts` with `variables` set. A part is the name of a file without `.sh`, in
    `scripts/` or in a named folder (`cni/NAME`).

    All lines but the last only define things, so a transfer that is cut off runs nothing. `main`
    has no standard input where the script itself came that way (`stdin="script"`).
    """
    call = "main </dev/null" if stdin == "script" else "main"
    assignments = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*assignments, *(_text(part) for part in parts), call, ""])


@cache
def _text(part: str) -> str:
    path = part if "/" in part else f"scripts/{part}"
    return files("rpool.reach").joinpath(f"{path}.sh").read_text("utf-8")
