"""Debian packages by a lock file: the source of Python and its libraries, for any architecture.

The machine's apt fetches them with a separate state, so the architecture and the release of Debian
need not be the machine's. Debian signs the index; digests in the lock verify the packages.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.command import LabError, run
from lab.host import debian_mirrors
from lab.packages.debian import KEYRING

RELEASE = "trixie"
_URI = re.compile(
    r"^'\S+' (?P<name>[^_]+)_(?P<version>[^_]+)_\S+ \d+ SHA256:(?P<sha256>\w+)$", re.M
)


@dataclass(frozen=True, order=True)
class Package:
    """One package of the lock."""

    architecture: str
    name: str
    version: str
    sha256: str

    @classmethod
    def from_line(cls, line: str) -> Package:
        return cls(*line.split())

    @property
    def line(self) -> str:
        return f"{self.architecture} {self.name} {self.version} {self.sha256}\n"


def read_lock(lock: Path, architecture: str, names: Sequence[str]) -> list[Package]:
    """The locked packages of these names. Raises LabError if one is not in the lock."""
    packages = [Package.from_line(line) for line in lock.read_text().splitlines()]
    wanted = [p for p in packages if p.architecture == architecture and p.name in names]
    if missing := set(names) - {p.name for p in wanted}:
        raise LabError(
            f"{lock} has no {', '.join(sorted(missing))} for {architecture}: `make lock`"
        )
    return wanted


def newest(architecture: str, names: Sequence[str]) -> list[Package]:
    """The packages that Debian serves now under these names."""
    with tempfile.TemporaryDirectory(prefix="rpool-release-apt-") as scratch:
        options = _options(architecture, Path(scratch))
        run("apt-get", *options, "update", "-q")
        listed = run("apt-get", *options, "download", "--print-uris", *names)
    return [
        Package(architecture, uri["name"], uri["version"].replace("%3a", ":"), uri["sha256"])
        for uri in _URI.finditer(listed)
    ]


def fetch(packages: Sequence[Package], cache: Path) -> list[Path]:
    """The files of these packages; those that the cache lacks are downloaded into it."""
    files = {package: cache / f"{package.sha256}.deb" for package in packages}
    missing = [package for package, file in files.items() if not file.exists()]
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="rpool-release-apt-") as scratch:
            _download(missing, Path(scratch), cache)
    return list(files.values())


def _download(packages: Sequence[Package], scratch: Path, cache: Path) -> None:
    options = _options(packages[0].architecture, scratch)
    wanted = [f"{package.name}={package.version}" for package in packages]
    run("apt-get", *options, "update", "-q")
    try:
        run("apt-get", *options, "download", "-q", *wanted, cwd=scratch)
    except LabError as error:
        advice = "Debian serves only its newest: `make lock` locks those, for you to commit."
        raise LabError(f"{error}\n{advice}") from error
    for package in packages:
        (file,) = scratch.glob(f"{package.name}_*.deb")
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != package.sha256:
            raise LabError(f"{file.name} is not what the lock names: digest {package.sha256}")
        unfinished = cache / f"{package.sha256}.unfinished"
        unfinished.write_bytes(data)
        unfinished.rename(cache / f"{package.sha256}.deb")


def _options(architecture: str, scratch: Path) -> list[str]:
    """Options with which apt uses an empty, separate state, and that architecture alone."""
    sources = scratch / "sources.list"
    suites = {RELEASE + after: mirror for after, mirror in debian_mirrors().items()}
    lines = [f"deb [signed-by={KEYRING}] {at} {suite} main\n" for suite, at in suites.items()]
    sources.write_text("".join(lines))
    for folder in ("state/lists/partial", "cache/archives/partial", "empty"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::preferencesparts": scratch / "empty",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": scratch / "empty",
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "status",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
