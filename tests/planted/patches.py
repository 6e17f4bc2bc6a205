"""The planted bugs: one patch a file, `NN-what-it-does.patch`.

    # What the bug is, a sentence.
    # caught by: tests/unit/test_x.py::test_y
    --- a/backend/...

Only one line of context is kept (`git diff -U1`), so that a patch outlives what is changed around
it. Where one no longer applies, the code that it is about has changed: plant it again, or another
of its kind where that code is gone.
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
        """What git says where it does not apply to `tree`; "" where it does. With the option
        `--check` nothing is changed.
        """
        command = ["git", "apply", "-p1", *options, str(self.path)]
        return subprocess.run(command, cwd=tree, capture_output=True, text=True).stderr


def read(path: Path) -> Planted:
    """Raises ValueError where the file does not begin as it should."""
    lines = path.read_text().splitlines()
    head = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    marked = [line.removeprefix("caught by: ") for line in head[1:]]
    if not marked or marked == head[1:]:
        raise ValueError(
            f"{path.name} does not say in its first lines what it is, and what catches it"
        )
    return Planted(path, head[0], tuple(marked))


def all_of_them() -> list[Planted]:
    return [read(path) for path in sorted(FOLDER.glob("*.patch"))]
