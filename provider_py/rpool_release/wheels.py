"""The Python packages of an archive: those of requirements.lock that the provider needs, as wheels
of the archive's Python and platform, whatever this machine is.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.command import run
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UNUSED = {"kubernetes", "markdown-it-py", "pygments"}
"""Dependencies that stay out, with all that only they need: nothing imports them yet (rich has two
for Markdown and for program text), and they have 86 MB, of which Terraform would take the digest at
each command.
"""

PYTHON = "3.13"
_PLATFORMS = (*(f"manylinux_2_{minor}" for minor in range(34, 16, -1)), "manylinux2014")
"""Of the wheels, best first. The archive has a glibc of its own, 2.41."""


def target(machine: str) -> dict[str, str]:
    """What markers of requirements are asked of: the Python in the archive."""
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{PYTHON}.0",
        "python_version": PYTHON,
        "sys_platform": "linux",
        "extra": "",
    }


def needed(pyproject: Path, environment: Mapping[str, str]) -> set[str]:
    """Names of the distributions that an archive has: what the project depends on, and what that
    needs in turn (as the packages in this Python say).
    """
    project = tomllib.loads(pyproject.read_text())["project"]
    todo = [Requirement(text) for text in project["dependencies"]]
    names: set[str] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if name in names | UNUSED or (marker and not marker.evaluate(dict(environment))):
            continue
        names.add(name)
        todo += [Requirement(text) for text in importlib.metadata.requires(name) or []]
    return names


def locked(lock: str, names: Iterable[str], environment: Mapping[str, str]) -> str:
    """The part of a lock file that is about these distributions, for that environment alone."""
    wanted = []
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        requirement = Requirement(entry.partition("\\")[0].strip())
        marker = requirement.marker
        if canonicalize_name(requirement.name) not in set(names):
            continue
        if marker is None or marker.evaluate(dict(environment)):
            hashes = re.findall(r"--hash=\S+", entry)
            wanted.append(" ".join([f"{requirement.name}{requirement.specifier}", *hashes]))
    return "".join(f"{line}\n" for line in sorted(wanted))


def key(requirements: str, machine: str) -> str:
    """What names the installed packages in a cache."""
    told = "\n".join((machine, PYTHON, *_PLATFORMS, requirements))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def install(requirements: str, machine: str, into: Path) -> None:
    """Unpack the wheels of these requirements; their digests are checked, nothing is built."""
    listed = into.with_name(into.name + ".txt")
    listed.write_text(requirements)
    # Older pips ask the Python that they run in, whatever they were told.
    options = ["--ignore-requires-python", f"--python-version={PYTHON}", "--implementation=cp"]
    platforms = [f"--platform={platform}_{machine}" for platform in _PLATFORMS]
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        f"--target={into}", "--no-compile", "--no-deps", "--require-hashes",
        "--only-binary=:all:", *options,
        "--abi=cp313", "--abi=abi3", "--abi=none", *platforms, f"--requirement={listed}",
        env={"PIP_NO_INPUT": "1", "TMPDIR": os.environ.get("TMPDIR", "/tmp")},  # noqa: S108
    )  # fmt: skip
    listed.unlink()
