"""However a user edits a configuration, Terraform never has a reason to blame the provider, and the
plan after an apply is empty.

RPOOL_SEED=N makes the same edits again, though not the same uids: other servers may be picked.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from protocol.edited_cluster import EditedCluster
from protocol.edited_workspace import EditedWorkspace

SOAK = [pytest.mark.soak, pytest.mark.timeout(7200)]
TOLD = 80
"""Lines of the history that a failure shows: the seed has the rest."""

LEAST = {"applied": 0.40, "replaced": 0.05, "refused": 0.02, "unknown": 0.30}
"""Of all edits: where less happens, little is checked."""


def drawn_seed() -> int:
    seed = int(os.environ.get("RPOOL_SEED") or random.SystemRandom().randrange(2**32))
    print(f"RPOOL_SEED={seed}")
    return seed


def run(editing: EditedCluster | EditedWorkspace, edits: int) -> Counter[str]:
    """How often each thing happened; it is printed, too."""
    try:
        editing.run(edits)
    finally:
        print(*editing.history[-TOLD:], dict(editing.counts), sep="\n")
    return editing.counts


def too_seldom(counts: Counter[str]) -> set[str]:
    return {name for name, share in LEAST.items() if counts[name] < share * counts["edits"]}


@pytest.mark.parametrize("edits", [200, pytest.param(2000, marks=SOAK)])
def test_what_terraform_checks_holds_whatever_is_edited(world_file: Path, edits: int) -> None:
    counts = run(EditedCluster(world_file, drawn_seed()), edits)
    assert counts["edits"] == edits
    assert not too_seldom(counts), counts
    assert edits < 2000 or min(counts["failed"], counts["delete"], counts["nothing"]) > 10, counts


@pytest.mark.parametrize("edits", [8, pytest.param(200, marks=SOAK)])
def test_terraform_never_blames_the_provider_whatever_is_edited(
    tmp_path: Path, world_file: Path, edits: int
) -> None:
    counts = run(EditedWorkspace(tmp_path, world_file, drawn_seed()), edits)
    assert counts["edits"] == edits
    assert edits < 200 or not too_seldom(counts), counts
