"""Builds the demo's web application, the one program here that is the lab's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab.cache import Cache, made
from lab.command import run
from lab.packages.go_modules import ENVIRONMENT

SOURCE = Path(__file__).parent.parent / "hello"


def name() -> str:
    """What the application is called in the cache: it changes with the source."""
    return f"hello-{hashlib.sha256((SOURCE / 'main.go').read_bytes()).hexdigest()[:12]}"


def hello(cache: Cache) -> Path:
    """The folder with the `hello` binary."""
    return made(cache.programs / name(), "building the demo's application", _build)


def _build(folder: Path) -> None:
    flags = ("-trimpath", "-ldflags", "-s -w")
    run("go", "build", *flags, "-o", folder / "hello", ".", env=ENVIRONMENT, cwd=SOURCE)
