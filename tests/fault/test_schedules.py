"""Random schedules of operations and faults break no rule (see fault/schedule.py).

With everything at once: two clusters of one configuration on a fleet that hardly holds them, every
fault, a second operator, destroys that are taken back.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SEEDS = 500


@pytest.mark.timeout(900)
def test_no_rule_is_broken_whatever_fails() -> None:
    """A failing seed is printed with its history, and shrunk; `python -m fault SEED` in tests/ is
    the same run again. 10,000 of them: `make soak`.
    """
    command = [sys.executable, "-m", "fault", f"0-{SEEDS}", "--jobs", "2"]
    ran = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-30_000:] + ran.stderr[-3_000:]
