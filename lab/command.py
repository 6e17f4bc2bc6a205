"""The one way in which the lab runs another program.

A program that fails raises `CommandFailed`, which carries what was run and what it printed:
nothing in the lab goes on after a failure that it has not looked at.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PRINTED_TAIL = 4000


class LabError(Exception):
    """What a person running the lab must know; printed without a traceback."""


class CommandFailed(LabError):
    """A program ended with another status than 0."""

    def __init__(self, argv: Sequence[str], status: int, printed: str) -> None:
        self.argv = list(argv)
        self.status = status
        self.printed = printed
        tail = printed[-PRINTED_TAIL:].strip() or "(it printed nothing)"
        super().__init__(f"{shlex.join(argv)} ended with {status}:\n{tail}")


def run(
    *argv: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    timeout_seconds: float | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    `env` is added to the environment. Raises `CommandFailed`, with both streams in it.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as missing:
        raise LabError(f"{words[0]} is not installed: {missing}") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{shlex.join(words)} took more than {timeout_seconds} s") from late
    if done.returncode != 0:
        printed = (done.stdout + b"\n" + done.stderr).decode(errors="replace")
        raise CommandFailed(words, done.returncode, printed)
    return done.stdout.decode(errors="replace")
