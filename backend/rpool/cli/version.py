"""`rpool --version`: pyproject.toml has the version, and nothing else has."""

from __future__ import annotations

import argparse
from pathlib import Path

_PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
"""Beside backend/, in a checkout as in an archive."""


class PrintVersion(argparse.Action):
    """Looks for it only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"{parser.prog} {version()}")
        parser.exit()


def version() -> str:
    """The version of this rpool; where pip has put it there, pip knows."""
    if not _PYPROJECT.exists():
        from importlib import metadata

        return metadata.version("rpool")
    import tomllib

    return str(tomllib.loads(_PYPROJECT.read_text())["project"]["version"])
