"""Resizing with the real Terraform: what its plans print, and that applies do just that.

The plans are kept literally, in golden/; RPOOL_GOLDEN=write rewrites them.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.simulated_provider import Faults, Kept, keep, recall
from protocol.site_config import cluster, server, site
from protocol.workspace import Ran, Workspace
from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.server import Role

NO_CHANGES, CHANGES, FAILED = 0, 2, 1
GOLDEN = Path(__file__).parent / "golden"
FOREIGN = Claim(
    "ffffffff", "other", "eve@desk", Role.WORKER, Phase.MEMBER, 1, "2026-01-01", "r1u01", ""
)


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


CONTROL_PLANES = ("r1u01", "r2u02", "r3u03")
BIG = {"cores": 16, "memory": 64}
SPARE = {"r2u04": server(4, zone="rack2", **BIG)}


def fleet(more: dict[str, Any] | None = None, **changed: dict[str, Any]) -> dict[str, Any]:
    """Three small servers for the control plane and two big ones, so that it is known which are
    picked. Of the big ones r1u05 is the first to leave: it has a label that is not asked for.
    """
    servers = {
        name: server(n, zone=name[:2].replace("r", "rack"), cores=4, memory=8)
        for n, name in enumerate(CONTROL_PLANES, 1)
    }
    servers["r1u05"] = server(5, zone="rack1", labels={"disk": "nvme"}, **BIG)
    servers["r1u06"] = server(6, zone="rack1", **BIG)
    servers |= more or {}
    for name, marks in changed.items():
        servers[name] = servers[name] | marks
    return site() | {"fleet": servers}


def pool(cores: int = 32, memory: int = 128, **more: Any) -> dict[str, Any]:
    return cluster(cores=cores, memory=memory, **more)


def made(workspace: Workspace, **more: Any) -> None:
    workspace.write(site_values=fleet(), batch=pool(**more))
    applied = workspace.apply()
    assert applied.status == 0, applied.output


def members(workspace: Workspace) -> set[str]:
    return set(workspace.state()["attributes"]["servers"])


def change(workspace: Workspace, **written: Any) -> None:
    """Apply, and find that nothing is left to do."""
    workspace.write(**written)
    applied = workspace.apply()
    assert applied.status == 0, applied.output
    again = workspace.plan()
    assert again.status == NO_CHANGES, again.output


def shown(workspace: Workspace, planned: Ran) -> str:
    """The part of a plan that says what will happen, and its warning, on one line each."""
    assert planned.status == CHANGES, planned.output
    match = re.search(r"^  # rpool_cluster.*?^Plan: [^\n]*\n", planned.output, re.S | re.M)
    assert match is not None, planned.output
    uid = workspace.state()["attributes"]["id"]
    lines = [line.rstrip() for line in match[0].replace(uid, "0863513a9c41d07e").splitlines()]
    text = "\n".join(lines) + "\n"
    pattern = r"Warning: (Cluster .*?)\n.*?((?:Joining|Leaving): .*?after\.)"
    if (warned := re.search(pattern, planned.output, re.S)) is not None:
        plain = [" ".join(part.replace("│", " ").split()) for part in warned.groups()]
        text += f"\nWarning: {plain[0]}\n{plain[1]}\n"
    return text


def assert_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("RPOOL_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_growth(workspace: Workspace) -> None:
    made(workspace)
    grown: dict[str, Any] = {"site_values": fleet(SPARE), "batch": pool(48, 192)}
    workspace.write(**grown)
    assert_golden("growth", shown(workspace, workspace.plan()))
    change(workspace, **grown)
    assert members(workspace) == {*CONTROL_PLANES, "r1u05", "r1u06", "r2u04"}


def test_shrink(workspace: Workspace) -> None:
    made(workspace)
    shrunk: dict[str, Any] = {"site_values": fleet(), "batch": pool(16, 64)}
    workspace.write(**shrunk)
    assert_golden("shrink", shown(workspace, workspace.plan()))
    change(workspace, **shrunk)
    assert members(workspace) == {*CONTROL_PLANES, "r1u06"}
    machines = recall(workspace.world_file).machines
    assert machines["r1u05"].claim is None
    assert machines["r1u05"].traces == ()


def test_a_retiring_server_is_replaced(workspace: Workspace) -> None:
    made(workspace)
    retiring: dict[str, Any] = {
        "site_values": fleet(SPARE, r1u06={"retire": True}),
        "batch": pool(),
    }
    workspace.write(**retiring)
    assert_golden("retire", shown(workspace, workspace.plan()))
    change(workspace, **retiring)
    assert members(workspace) == {*CONTROL_PLANES, "r1u05", "r2u04"}


def test_a_lost_server_is_replaced(workspace: Workspace) -> None:
    made(workspace)
    kept = recall(workspace.world_file)
    kept.machines["r1u06"].powered = False
    keep(workspace.world_file, kept)
    lost: dict[str, Any] = {"site_values": fleet(SPARE, r1u06={"lost": True}), "batch": pool()}
    workspace.write(**lost)
    assert_golden("lost", shown(workspace, workspace.plan()))
    change(workspace, **lost)
    assert members(workspace) == {*CONTROL_PLANES, "r1u05", "r2u04"}


def test_a_dead_server_is_replaced_though_nobody_marks_it(workspace: Workspace) -> None:
    made(workspace)
    kept = recall(workspace.world_file)
    kept.machines["r1u06"].lose_power(seconds_ago=400)
    keep(workspace.world_file, kept)
    unmarked: dict[str, Any] = {"site_values": fleet(SPARE), "batch": pool()}
    workspace.write(**unmarked)
    assert_golden("repair", shown(workspace, workspace.plan()))
    change(workspace, **unmarked)
    assert members(workspace) == {*CONTROL_PLANES, "r1u05", "r2u04"}


def test_settings_change_in_place(workspace: Workspace) -> None:
    made(workspace)
    pools = {"pools": {"default": ["10.0.0.210-10.0.0.230"]}}
    settings: dict[str, Any] = {"drain": {"timeout": "5m"}, "metallb": pools}
    workspace.write(site_values=fleet(), batch=pool(**settings))
    assert_golden("settings", shown(workspace, workspace.plan()))
    change(workspace, site_values=fleet(), batch=pool(**settings))
    change(workspace, site_values=fleet(), batch=pool())


def test_what_does_not_fit_is_an_error_of_the_plan_that_counts(workspace: Workspace) -> None:
    made(workspace)
    more = SPARE | {"r3u07": server(7, reserved=True, **BIG), "r3u08": server(8, retire=True)}
    workspace.write(site_values=fleet(more), batch=pool(64, 256))
    refused = workspace.plan()
    assert refused.status == FAILED
    for text in (
        "cluster batch does not fit: it needs 3 control planes and 64 cores, 256 GiB of workers",
        "Free: r2u04 16/64 (cores/GiB).",
        "Missing: 16 cores, 64 GiB",
        "Reserved: r3u07. Retiring: r3u08.",
        "Add servers to the fleet. Or lower cores and memory.",
    ):
        assert text in refused


def test_a_cluster_that_no_longer_fits_is_in_the_way_of_nothing(workspace: Workspace) -> None:
    made(workspace)
    tiny = {f"o{n}": server(40 + n, zone="other", cores=2, memory=4) for n in (1, 2)}
    site_values = fleet(tiny, r1u06={"lost": True})
    alone = {"servers": 1, "endpoint": {"vip": "10.0.0.202"}}
    other = {"selector": {"zones": ["other"]}, "control_plane": alone}
    beside = cluster(name="beside", cores=2, memory=4, **other)
    workspace.write(site_values=site_values, batch=pool(), beside=beside)
    assert workspace.apply().status == 0
    planned = workspace.plan()
    assert planned.status == NO_CHANGES, planned.output
    assert "Cluster batch no longer fits the fleet: no server joins it" in planned
    assert "Lost: r1u06." in planned
    workspace.write(site_values=site_values, batch=pool(48, 192), beside=beside)
    assert workspace.plan().status == FAILED
    workspace.write(site_values=site_values, batch=pool(), beside=beside)
    destroyed = workspace.destroy()
    assert destroyed.status == 0, destroyed.output


def test_the_address_of_a_server_in_use_cannot_change(workspace: Workspace) -> None:
    made(workspace)
    workspace.write(site_values=fleet(r1u06={"address": "10.0.0.99"}), batch=pool())
    refused = workspace.plan()
    assert refused.status == FAILED
    assert "r1u06 (10.0.0.7 when it joined, 10.0.0.99 now)" in refused
    workspace.write(site_values=fleet(), batch=pool())
    assert workspace.plan().status == NO_CHANGES


def test_a_protected_cluster_is_neither_destroyed_nor_replaced(workspace: Workspace) -> None:
    made(workspace, deletion_protection=True)
    refused = workspace.destroy()
    assert refused.status == FAILED
    assert "cluster batch is protected from deletion" in refused
    workspace.write(
        site_values=fleet(), batch=pool(deletion_protection=True, networking={"cni": "none"})
    )
    assert "cluster batch is protected from deletion" in workspace.plan()
    workspace.write(site_values=fleet(), batch=pool(deletion_protection=True))
    forced = workspace.plan("-replace=rpool_cluster.batch")
    assert forced.status == FAILED
    assert "cluster batch is protected from deletion" in forced
    assert workspace.run("taint", "rpool_cluster.batch").status == 0
    assert "cluster batch is protected from deletion" in workspace.plan()
    assert workspace.run("untaint", "rpool_cluster.batch").status == 0
    workspace.write(site_values=fleet(), batch=pool())
    assert workspace.apply().status == 0
    assert workspace.destroy().status == 0


def test_a_saved_plan_whose_server_was_taken_meanwhile_is_stale(workspace: Workspace) -> None:
    made(workspace)
    workspace.write(site_values=fleet(SPARE), batch=pool(48, 192))
    assert workspace.plan("-out=saved").status == CHANGES
    kept = recall(workspace.world_file)
    kept.machines["r2u04"] = replace(kept.machines["r1u05"], claim=FOREIGN, cluster=None)
    keep(workspace.world_file, kept)
    stale = workspace.run("apply", "-no-color", "-input=false", "saved")
    assert stale.status == FAILED
    assert "r2u04 was to join, but is claimed by cluster other (uid ffffffff" in stale
    instance = workspace.state()
    assert instance.get("status") != "tainted"
    assert instance["attributes"]["cores"] == 32
    more = SPARE | {"r3u07": server(7, **BIG)}
    change(workspace, site_values=fleet(more), batch=pool(48, 192))
    assert members(workspace) == {*CONTROL_PLANES, "r1u05", "r1u06", "r3u07"}


def test_a_drain_that_fails_changes_nothing_and_the_next_apply_tries_again(
    workspace: Workspace,
) -> None:
    made(workspace)
    failing: Faults = {
        (act.Drain, name): CommandFailed("a disruption budget is in the way")
        for name in CONTROL_PLANES
    }
    keep(workspace.world_file, Kept(recall(workspace.world_file).machines, failing))
    workspace.write(site_values=fleet(), batch=pool(16, 64))
    failed = workspace.apply()
    assert failed.status == FAILED
    assert "a disruption budget is in the way" in failed
    assert workspace.state()["attributes"]["cores"] == 32
    assert "r1u05" in members(workspace)
    keep(workspace.world_file, Kept(recall(workspace.world_file).machines))
    change(workspace, site_values=fleet(), batch=pool(16, 64))


def test_two_pools_that_grow_in_one_apply_share_the_fleet(workspace: Workspace) -> None:
    servers = {f"s{n:02}": server(n) for n in range(1, 15)}
    values = site() | {"fleet": servers}
    one = {"servers": 1, "endpoint": {"vip": "10.0.0.200"}}
    other = {"servers": 1, "endpoint": {"vip": "10.0.0.201"}}

    def both(cores: int) -> dict[str, Any]:
        return {
            "a": cluster(name="a", cores=cores, memory=8, control_plane=one),
            "b": cluster(name="b", cores=cores, memory=8, control_plane=other),
        }

    change(workspace, site_values=values, **both(8))
    change(workspace, site_values=values, **both(24))
    claims = [m.claim for m in recall(workspace.world_file).machines.values() if m.claim]
    assert sorted(claim.pool for claim in claims) == ["a"] * 4 + ["b"] * 4
