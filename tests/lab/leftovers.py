"""What a cluster left on a server, found by other means than rpool's own check."""

from __future__ import annotations

from pathlib import Path

from desk import Desk

SCRIPT = Path(__file__).with_name("leftovers.sh").read_text()


def leftovers(desk: Desk, server: str) -> str:
    """One thing a line; empty for a clean server."""
    return desk.ssh(server, SCRIPT).strip()
