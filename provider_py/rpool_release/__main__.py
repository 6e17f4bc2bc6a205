"""`python -m rpool_release`: see `make dist`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.command import LabError, run
from lab.progress import say

from rpool_release import build
from rpool_release.checksums import SigningKey
from rpool_release.tree import CHECKOUT, PLATFORMS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rpool_release", description=__doc__)
    parser.add_argument("--lock", action="store_true", help="lock Debian's packages, and end")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build/dist", metavar="FOLDER")
    parser.add_argument("--key", default="", help="of your GPG keyring, to sign with")
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="default: all")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.lock:
            build.lock()
            return 0
        key = SigningKey(chosen.key) if chosen.key else None
        if key is not None:
            say(f"signing with key {key.identifier}")  # no key, no build
        release = build.release(chosen.out, chosen.platform or list(PLATFORMS), _epoch(), key)
    except LabError as error:
        print(f"dist: {error}", file=sys.stderr)
        return 1
    for name in release.platforms:
        file = release.archive(name)
        say(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return 0


def _epoch() -> int:
    """The time of all files, in seconds since 1970: SOURCE_DATE_EPOCH, else the commit's."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or run("git", "-C", CHECKOUT, "log", "-1", "--format=%ct"))


if __name__ == "__main__":
    sys.exit(main())
