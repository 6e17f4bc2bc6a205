"""The Python packages of an archive: those in requirements.lock that the provider needs, as wheels
for the archive's Python and platform, whatever this machine is.
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
for Markdown and program text), and Terraform would compute the digest of their 86 MB at each
command.
"""

PYTHON = "3.13"
_PLATFORMS = (*(f"manylinux_2_{minor}" for minor in range(34, 16, -1)), "manylinux2014")
"""Platforms of wheels, best first. The archive has its own glibc, 2.41."""


def target(machine: str) -> dict[str, str]:
    """The environment for markers of requirements: the Python in the archive."""
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
    """Names of the distributions in an archive: the project's dependencies, and theirs in turn (by
    the metadata of the packages in this Python).
    """
    project = tomllib.loads(pyproject.read_text())["project"]
    pending = [Requirement(text) for text in project["dependencies"]]
    names: set[str] = set()
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if name in names | UNUSED or (marker and not marker.evaluate(dict(environment))):
            continue
        names.add(name)
        pending += [Requirement(text) for text in importlib.metadata.requires(name) or []]
    return names


def locked(lock: str, names: Iterable[str], environment: Mapping[str, str]) -> str:
    """The lines of a lock file for these distributions, in that environment."""
    lines = []
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        requirement = Requirement(entry.partition("\\")[0].strip())
        marker = requirement.marker
        if canonicalize_name(requirement.name) not in set(names):
            continue
        if marker is None or marker.evaluate(dict(environment)):
            hashes = re.findall(r"--hash=\S+", entry)
            lines.append(" ".join([f"{requirement.name}{requirement.specifier}", *hashes]))
    return "".join(f"{line}\n" for line in sorted(lines))


def key(requirements: str, machine: str) -> str:
    """The name of the installed packages in a cache."""
    text = "\n".join((machine, PYTHON, *_PLATFORMS, requirements))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def install(requirements: str, machine: str, into: Path) -> None:
    """Unpacks the wheels of these requirements; their digests are checked, nothing is built."""
    listed = into.with_name(into.name + ".txt")
    listed.write_text(requirements)
    # Older versions of pip check Requires-Python against the Python that they run in.
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
