"""Groups of workers with the real Terraform: blocks with a label each, what plans print, and where
a mistake in one is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol.site_config import server
from protocol.test_resize import (
    BIG,
    CONTROL_PLANES,
    SPARE,
    assert_golden,
    change,
    fleet,
    made,
    members,
    pool,
    shown,
)
from protocol.workspace import Workspace

LABELS = {"accelerator": "h100"}
SITE = fleet(SPARE | {"r3u07": server(7, zone="rack3", labels=LABELS, **BIG)})
TAINT = {"key": "gpu", "value": "true", "effect": "NoSchedule"}
GPU: dict[str, Any] = {
    "cores": 16,
    "memory": 64,
    "selector": {"labels": LABELS},
    "labels": {"tier": "gpu"},
    "taint": [TAINT],
}


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


def test_a_group_is_added_and_goes_again(workspace: Workspace) -> None:
    made(workspace)
    plain = members(workspace)
    grouped: dict[str, Any] = {"site_values": SITE, "batch": pool(workers={"gpu": GPU})}
    workspace.write(**grouped)
    assert_golden("group", shown(workspace, workspace.plan()))
    change(workspace, **grouped)
    assert members(workspace) == {*plain, "r3u07"}
    assert workspace.state()["attributes"]["servers"]["r3u07"]["group"] == "gpu"
    change(workspace, site_values=SITE, batch=pool())
    assert members(workspace) == plain


def test_a_cluster_is_made_with_groups_and_imported(workspace: Workspace) -> None:
    wanted: dict[str, Any] = {"site_values": SITE, "batch": pool(workers={"gpu": GPU})}
    change(workspace, **wanted)
    uid = workspace.state()["attributes"]["id"]
    assert workspace.run("state", "rm", "rpool_cluster.batch").status == 0
    imported = workspace.run("import", "-no-color", "rpool_cluster.batch", uid)
    assert imported.status == 0, imported.output
    again = workspace.plan()
    assert again.status == 0, again.output


def test_a_mistake_in_a_group_is_shown_at_its_line(workspace: Workspace) -> None:
    wrong = GPU | {"memory": 0}
    workspace.write(site_values=SITE, batch=pool(workers={"cpu": GPU, "gpu": wrong}))
    (error,) = workspace.errors()
    assert "must be at least 1" in error["summary"]
    lines = (workspace.folder / "main.tf").read_text().splitlines()
    shown_line = lines[error["range"]["start"]["line"] - 1]
    assert shown_line.split() == ["memory", "=", "0"]


def test_a_group_that_does_not_fit_is_shown_at_its_line(workspace: Workspace) -> None:
    too_big = GPU | {"cores": 32}
    workspace.write(site_values=SITE, batch=pool(workers={"gpu": too_big}))
    planned = workspace.plan()
    assert planned.status == 1
    assert "group gpu of cluster batch does not fit: it needs 32 cores, 64 GiB" in planned
    assert "cores = 32" in planned
    assert CONTROL_PLANES[0] not in planned
