"""`python -m rpool_docs`: writes pages and pictures; with --check it only says which are stale."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from rpool_docs.pages import Wrong, left_over, made, stale


def main(arguments: list[str]) -> int:
    try:
        pages = made()
        if arguments == ["--check"]:
            return _check(pages)
        for path, text in pages.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for path in left_over(pages):
            path.unlink()
    except Wrong as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _check(pages: Mapping[Path, str]) -> int:
    problems = list(stale(pages))
    if problems:
        print(*problems, "Run make generate, and keep what it changes.", sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
