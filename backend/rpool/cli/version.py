"""`rpool --version`: the version is in pyproject.toml, and nowhere else."""

from __future__ import annotations

import argparse
from pathlib import Path

_PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
"""Beside backend/, in a checkout and in an archive."""


class PrintVersion(argparse.Action):
    """Prints the version, and looks it up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"{parser.prog} {version()}")
        parser.exit()


def version() -> str:
    """The version of this rpool: from pyproject.toml, or where pip installed it, from pip."""
    if not _PYPROJECT.exists():
        from importlib import metadata

        return metadata.version("rpool")
    import tomllib

    return str(tomllib.loads(_PYPROJECT.read_text())["project"]["version"])
