"""`make planted`: plants each bug in a copy of the tree, and sees that its tests fail there.

    python tests/planted/run.py [--jobs 2] [a part of a name ...]

The copy has an import path of its own, and the tests must pass in it without the bug. It fails
where a patch no longer applies, where a bug is not caught, and where its tests fail without it.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from planted.patches import ROOT, Planted, all_of_them

LONGEST_SECONDS = 900
FAILED = 1
"""pytest's exit code when tests failed; other codes say that it ran none."""


@dataclass(frozen=True)
class Tree:
    """A copy of what git knows of the checkout, with changes that are not committed yet."""

    folder: Path

    @classmethod
    def copied(cls, folder: Path) -> Tree:
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).exists():  # what is deleted and not committed yet is not
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        tree = cls(folder)
        imported = tree._python(
            "-c", "import rpool, rpool_provider as p; print(rpool.__file__, p.__file__)"
        )
        if imported.stdout.count(str(folder)) != 2:
            raise SystemExit(f"the copy would run other code than its own: {imported.stdout}")
        return tree

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(self.folder / part) for part in ("backend", "provider_py"))
        env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
        )

    def tests(self, names: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
        quiet = ("-q", "-p", "no:cacheprovider")
        return self._python("-m", "pytest", *quiet, *options, *names)

    def why_not_caught(self, planted: Planted) -> str:
        """Returns "" where each of its tests fails with the bug; else what went otherwise."""
        if why := planted.why_not_applied(self.folder):
            return f"it no longer applies: {why}"
        try:
            for test in planted.caught_by:
                ran = self.tests([test], "-x")
                if ran.returncode != FAILED:
                    return f"NOT CAUGHT by {test}: {ran.stdout[-600:]}{ran.stderr[-600:]}"
            return ""
        finally:
            planted.why_not_applied(self.folder, "--reverse")


def _without_any(tree: Tree, bugs: Sequence[Planted], jobs: int) -> str:
    tests = sorted({test for bug in bugs for test in bug.caught_by})
    ran = tree.tests(tests, "--numprocesses", str(jobs))
    return "" if ran.returncode == 0 else ran.stdout[-3000:] + ran.stderr[-3000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    bugs = [
        b for b in all_of_them() if not options.names or any(n in b.name for n in options.names)
    ]
    with ExitStack() as stack:
        free: queue.Queue[Tree] = queue.Queue()
        for _ in range(options.jobs):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="planted-"))
            free.put(Tree.copied(Path(folder)))

        def caught(planted: Planted) -> tuple[str, float]:
            tree, begun = free.get(), time.monotonic()
            try:
                why = tree.why_not_caught(planted)
            finally:
                free.put(tree)
            print(f"{'caught' if not why else why[:60]!s:8} {planted.name}", file=sys.stderr)
            return why, time.monotonic() - begun

        pool = stack.enter_context(ThreadPoolExecutor(options.jobs))
        results = dict(zip((b.name for b in bugs), pool.map(caught, bugs), strict=True))
        broken = _without_any(free.get(), bugs, options.jobs)
    print("| bug | caught by | seconds |\n| --- | --- | --- |")
    for planted in bugs:
        why, seconds = results[planted.name]
        by = ", ".join(planted.caught_by)
        print(
            f"| {planted.name}: {planted.bug} | {why.replace(chr(10), ' ') or by} | {seconds:.1f} |"
        )
    missed = [name for name, (why, _) in results.items() if why]
    print(f"\n{len(bugs) - len(missed)} of {len(bugs)} caught; not: {', '.join(missed) or 'none'}")
    if broken:
        print(f"Tests that fail without any bug:\n{broken}")
    return 1 if missed or broken else 0


if __name__ == "__main__":
    sys.exit(main())
