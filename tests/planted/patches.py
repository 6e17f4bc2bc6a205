"""The planted bugs: one patch a file, `NN-what-it-does.patch`.

    # What the bug is, a sentence.
    # caught by: tests/unit/test_x.py::test_y
    --- a/backend/...

Only one line of context is kept (`git diff -U1`), so that a patch outlives changes around it. Where
a patch no longer applies, its code has changed: plant the bug again, or another of its kind where
that code is gone.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
AT_LEAST = 40


@dataclass(frozen=True)
class Planted:
    """One bug: what it is, the tests that catch it, and its patch."""

    path: Path
    bug: str
    caught_by: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    def why_not_applied(self, tree: Path, *options: str) -> str:
        """Applies the patch to `tree`. Returns what git says where it does not apply, else "". The
        option `--check` changes nothing.
        """
        command = ["git", "apply", "-p1", *options, str(self.path)]
        return subprocess.run(command, cwd=tree, capture_output=True, text=True).stderr


def read(path: Path) -> Planted:
    """Raises ValueError where the file does not begin as it should."""
    lines = path.read_text().splitlines()
    comments = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    tests = [line.removeprefix("caught by: ") for line in comments[1:]]
    if not tests or tests == comments[1:]:
        raise ValueError(
            f"{path.name} does not say in its first lines what it is, and what catches it"
        )
    return Planted(path, comments[0], tuple(tests))


def all_of_them() -> list[Planted]:
    return [read(path) for path in sorted(FOLDER.glob("*.patch"))]
