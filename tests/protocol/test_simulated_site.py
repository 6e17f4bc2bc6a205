"""A simulated site as users have it: the real Terraform and provider, no server, no ssh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol.plugin_process import LAUNCHER
from protocol.simulated_provider import recall
from protocol.site_config import cluster
from protocol.workspace import Ran, Workspace
from rpool.cli.main import main
from rpool.model.generated_fleet import generated
from rpool.model.server import Role
from rpool.simulate import FILE_NAME

NO_CHANGES, CHANGES = 0, 2
SITE = {"simulate": {"servers": 12}}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, tmp_path / FILE_NAME, provider=[str(LAUNCHER)])


def fleet(**marked: dict[str, Any]) -> dict[str, Any]:
    """The twelve servers written down, some of them with marks."""
    servers = {
        server.name: {
            "address": server.address,
            "cores": server.cores,
            "memory": server.memory_gib,
            "zone": server.zone,
            **marked.get(server.name, {}),
        }
        for server in generated(12).servers.values()
    }
    return {"simulate": {}, "fleet": servers}


def assert_says_simulated_once(planned: Ran) -> None:
    assert planned.output.count("SIMULATED: ") == 1, planned.output
    assert "nothing real is touched" in planned


def test_many_clusters_and_nodes_say_it_once(workspace: Workspace) -> None:
    three: dict[str, Any] = {
        name: cluster(name=name, control_plane={"servers": 1, "endpoint": {"vip": vip}})
        for name, vip in (("a", "10.0.0.201"), ("b", "10.0.0.202"), ("c", "10.0.0.203"))
    }
    workspace.write(site_values={"simulate": {"servers": 24}}, **three)
    assert_says_simulated_once(workspace.plan())
    applied = workspace.apply()
    assert_says_simulated_once(applied)
    assert_says_simulated_once(workspace.plan())


def test_servers_that_a_firewall_cuts_off_are_told_all_at_once(workspace: Workspace) -> None:
    workspace.write(site_values=fleet(), batch=cluster())
    assert workspace.apply().status == 0
    servers = workspace.state()["attributes"]["servers"]
    file = str(workspace.folder / FILE_NAME)
    for name in generated(12).servers:
        main(["simulate", "block", name, "tcp/10250", "udp/8472", "--file", file])
    workspace.write(site_values=fleet(), batch=cluster(cores=48, memory=192))
    refused = workspace.apply()
    assert refused.status == 1
    assert "cannot take the servers that were planned" in refused
    assert refused.output.count("cannot reach it at") >= 2
    assert "reserved = true" in refused
    for name in generated(12).servers:
        main(["simulate", "block", name, "--file", file])
    assert workspace.apply().status == 0
    assert workspace.state()["attributes"]["servers"].keys() > servers.keys()


def apply(workspace: Workspace, **written: Any) -> None:
    """Apply, and find that nothing is left to do; the plan that finds it says SIMULATED, too."""
    workspace.write(**written)
    applied = workspace.apply()
    assert applied.status == 0, applied.output
    again = workspace.plan()
    assert again.status == NO_CHANGES, again.output
    assert_says_simulated_once(again)


def test_a_cluster_is_made_grown_and_destroyed_without_a_server(workspace: Workspace) -> None:
    workspace.write(site_values=SITE, batch=cluster())
    planned = workspace.plan()
    assert planned.status == CHANGES, planned.output
    assert_says_simulated_once(planned)
    assert "Cluster batch will likely take" in planned
    assert not workspace.world_file.exists()
    apply(workspace, site_values=SITE, batch=cluster())

    workspace.write(site_values=SITE, batch=cluster(cores=64, memory=256))
    assert_says_simulated_once(workspace.plan())
    apply(workspace, site_values=SITE, batch=cluster(cores=64, memory=256))
    assert workspace.state()["attributes"]["allocated_cores"] >= 64

    going = workspace.plan("-destroy")
    assert going.status == CHANGES, going.output
    assert_says_simulated_once(going)
    assert workspace.destroy().status == 0
    assert all(machine.claim is None for machine in recall(workspace.world_file).machines.values())


def test_a_lost_server_that_is_marked_is_replaced(workspace: Workspace) -> None:
    apply(workspace, site_values=fleet(), batch=cluster())
    servers = workspace.state()["attributes"]["servers"]
    lost = next(name for name, server in servers.items() if server["role"] == Role.WORKER)
    file = ["--file", str(workspace.world_file)]
    assert main(["simulate", "lose", lost, *file]) == 0

    marked = fleet(**{lost: {"lost": True}})
    workspace.write(site_values=marked, batch=cluster())
    planned = workspace.plan()
    assert_says_simulated_once(planned)
    assert f"{lost} (lost)" in planned
    apply(workspace, site_values=marked, batch=cluster())
    assert lost not in workspace.state()["attributes"]["servers"]

    assert main(["simulate", "restore", lost, *file]) == 0
    claim = recall(workspace.world_file).machines[lost].claim
    assert claim is not None and claim.pool == "batch"  # it could not be removed


def test_a_node_of_a_simulated_site_is_no_real_one_either(workspace: Workspace) -> None:
    site = fleet(r1u04={"reserved": True})
    node = (
        'resource "rpool_node" "extra" {\n  cluster = "0863513a9c41d07e"\n  server = "r1u04"\n}\n'
    )
    workspace.write(site_values=site, more=node)
    planned = workspace.plan()
    assert planned.status == CHANGES, planned.output
    assert_says_simulated_once(planned)


@pytest.mark.parametrize(
    ("site", "error"),
    [
        ({"mirrors": {}}, "this provider block has no servers"),
        ({"fleet": fleet()["fleet"]}, "ssh is required"),
        (fleet() | {"simulate": {"servers": 3}}, "simulate.servers and fleet exclude each other"),
        ({"simulate": {"servers": 0}}, "simulate.servers must be at least 1"),
    ],
)
def test_a_wrong_provider_block_is_one_clear_error_of_validate(
    workspace: Workspace, site: dict[str, Any], error: str
) -> None:
    workspace.write(site_values=site, batch=cluster())
    (found,) = workspace.errors()
    assert error in found["summary"]
    assert found["range"]["start"]["line"] > 5  # it points into the block


def test_an_empty_provider_block_is_an_error_of_the_plan(workspace: Workspace) -> None:
    """Terraform itself does not validate it."""
    workspace.write(site_values={}, batch=cluster())
    assert "this provider block has no servers" in workspace.plan()
