"""`make help` has each target that is for people."""

from __future__ import annotations

import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]


def test_each_target_has_a_line() -> None:
    (line,) = (
        line for line in (CHECKOUT / "Makefile").read_text().splitlines() if ".PHONY:" in line
    )
    ran = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    listed = [line.split(maxsplit=1) for line in ran.stdout.splitlines()]
    assert sorted(name for name, _ in listed) == sorted(line.split()[1:])
