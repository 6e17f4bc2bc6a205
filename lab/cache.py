"""Where the lab keeps what is expensive to make: outside the checkout, keyed by version.

Everything is published with one rename, so an interrupted build leaves nothing that looks
finished, and the next one starts over where it was.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.progress import say, step


@dataclass(frozen=True)
class Cache:
    """The folders of the cache. See `lab/README.md` for what each holds."""

    root: Path

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    @property
    def www(self) -> Path:
        """What the lab's web server serves: /debian, /kubernetes, /manifests."""
        return self.root / "www"

    @property
    def registry(self) -> Path:
        """The storage of the lab's image registry."""
        return self.root / "registry"

    @property
    def guests(self) -> Path:
        return self.root / "guests"

    @property
    def labs(self) -> Path:
        """The disks of the servers, a folder a lab."""
        return self.root / "labs"

    @property
    def complete(self) -> Path:
        """One file for each Kubernetes version that is built completely."""
        return self.root / "complete"


def default_cache() -> Cache:
    """The cache of this user, or the one that RPOOL_LAB_CACHE names."""
    named = os.environ.get("RPOOL_LAB_CACHE")
    return Cache(Path(named)) if named else user_cache("rpool-lab")


def user_cache(name: str) -> Cache:
    """The cache of that name of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Cache(Path(home) / name)


@contextmanager
def locked(cache: Cache, name: str = "lock") -> Iterator[None]:
    """Only one process at a time builds what this lock is about; the others wait for it."""
    cache.root.mkdir(parents=True, exist_ok=True)
    with (cache.root / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process fills the cache; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made(folder: Path, what: str, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` if it is not there yet.

    `make` gets a folder beside it, which is renamed once it is complete.
    """
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with step(what):
        make(unfinished)
    unfinished.rename(folder)
    return folder


def write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    unfinished.chmod(mode)
    unfinished.rename(path)
