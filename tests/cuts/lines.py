"""Where a script can be cut: the lines before which a command of ours can stand, and is run.

A command cannot stand inside a here-document, a quoted text of several lines, the head of a case or
the rest of a command. The shell itself says which lines these are: a valid script is still valid
with `:` put in before the line, and is not with `&`. In mere text both would leave it valid.

Left out are lines before which even a command that does nothing changes what follows; a cut there
is the same as one at the next line that runs. They are the rest of a list (the line before ends in
`&&`, `||`, `|` or a backslash), words that close something (a function's end has the status of what
is before it), lines that ask for `$?`, and definitions outside of functions.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

LIBRARY = "# shellcheck shell=sh\n# What all scripts share"
PART = "# shellcheck shell=sh\n"
CLOSES = re.compile(r"(}|fi|done|esac|else|elif|then|do|;;|\))(?=$|[\s;)}|&<>\"])")
DEFINES = re.compile(r"[A-Za-z_]+(=|\(\) )|set -eu|umask|main </dev/null")
GOES_ON = re.compile(r"(\\|&&|\|)$")


def points(script: str) -> list[int]:
    """The numbers of all lines of a script's code before which it can be cut, from 0."""
    start = max(script.rfind(f"\n{LIBRARY}"), 0)  # before it are values; one is a script
    offset = script.count("\n", 0, start)
    numbers: list[int] = []
    for part in re.split(f"(?m)^(?={PART})", script[start:]):
        numbers += [offset + n for n in _points(part)]
        offset += part.count("\n")
    return numbers


def cut(script: str, line: int, time: int, counter: Path) -> str:
    """The script, to be killed with all that it has started and what waits for it, as it comes to
    that line for the `time`th time. A program that is called again later is not killed again.
    """
    kill = f"echo >>{counter}; [ $(grep -c '' {counter}) != {time} ] || kill -9 0"
    return _put_in(script, {line: kill})


def traced(script: str, trace: Path) -> str:
    """The script, writing down the number of each line that it comes to."""
    return _put_in(script, {n: f"echo {n} >>{trace}" for n in points(script)})


def _put_in(script: str, commands: dict[int, str]) -> str:
    lines = script.splitlines(keepends=True)
    return "".join(
        f"{commands[n]}\n{line}" if n in commands else line for n, line in enumerate(lines)
    )


@cache
def _points(part: str) -> list[int]:
    lines = part.splitlines(keepends=True)
    likely = []
    before = ""
    for n, line in enumerate(lines):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        inside = line[0].isspace() or not DEFINES.match(bare)
        if inside and not (GOES_ON.search(before) or CLOSES.match(bare) or "$?" in bare):
            likely.append(n)
        before = bare
    with tempfile.TemporaryDirectory() as folder:
        for n in likely:
            for kind, command in (("command", ":"), ("text", "&")):
                text = "".join([*lines[:n], f"{command}\n", *lines[n:]])
                (Path(folder) / f"{n}.{kind}").write_text(text)
        loop = 'cd "$1"; for file in *; do sh -n "$file" 2>/dev/null && echo "$file"; done; :'
        right = subprocess.run(
            ["sh", "-c", loop, "sh", folder], capture_output=True, text=True, check=True
        ).stdout.split()
    return [n for n in likely if f"{n}.command" in right and f"{n}.text" not in right]
