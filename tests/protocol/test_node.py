"""`rpool_node` with the real Terraform: put in, changed in place, taken out, with its cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol.simulated_provider import recall
from protocol.site_config import cluster, server, site
from protocol.workspace import CLUSTER, Workspace
from rpool.advice import Do

NO_CHANGES, CHANGES, FAILED = 0, 2, 1
GPU = "rpool_node.gpu"


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


def node(
    more: str = "",
    name: str = "g1",
    cluster: str = "rpool_cluster.batch.id",
    label: str = "gpu",
) -> str:
    return f"""
resource "rpool_node" "{label}" {{
  cluster = {cluster}
  server  = "{name}"
  {more}
}}
"""


LABELS = 'labels = { accelerator = "h100" }'
TAINTS = 'taint {\n    key    = "gpu"\n    effect = "NoSchedule"\n  }'


def write(workspace: Workspace, more: str, **changes: Any) -> None:
    fleet = site()["fleet"] | {"g1": server(20, reserved=True)}
    workspace.write(site_values=site() | {"fleet": fleet}, more=more, batch=cluster(**changes))


def apply(workspace: Workspace) -> None:
    applied = workspace.apply()
    assert applied.status == 0, applied.output
    again = workspace.plan()
    assert again.status == NO_CHANGES, again.output


def claim_of(workspace: Workspace) -> Any:
    return recall(workspace.world_file).machines["g1"].claim


def test_a_node_is_put_in_changed_in_place_and_taken_out(workspace: Workspace) -> None:
    write(workspace, node(LABELS))
    assert workspace.plan().status == CHANGES
    apply(workspace)
    assert claim_of(workspace).pool == "batch"
    assert "g1" not in workspace.state()["attributes"]["servers"]

    write(workspace, node(f"{LABELS}\n{TAINTS}"))
    assert workspace.actions() == {CLUSTER: ["no-op"], GPU: ["update"]}
    apply(workspace)

    write(workspace, node(f"{LABELS}\n{TAINTS}"), cores=24, memory=96)
    assert workspace.actions() == {CLUSTER: ["update"], GPU: ["no-op"]}
    apply(workspace)

    write(workspace, "", cores=24, memory=96)
    apply(workspace)
    assert claim_of(workspace) is None


def test_the_address_of_a_node_cannot_change(workspace: Workspace) -> None:
    write(workspace, node())
    apply(workspace)
    g1 = server(20, reserved=True, address="10.0.0.99")
    moved = site() | {"fleet": site()["fleet"] | {"g1": g1}}
    workspace.write(site_values=moved, more=node(), batch=cluster())
    refused = workspace.plan()
    assert refused.status == FAILED
    assert "g1 (10.0.0.21 when it joined, 10.0.0.99 now)" in refused


def test_a_node_goes_with_its_cluster(workspace: Workspace) -> None:
    write(workspace, node())
    apply(workspace)
    before = claim_of(workspace).uid
    write(workspace, node(), networking={"cni": "none"})
    assert workspace.actions() == {CLUSTER: ["delete", "create"], GPU: ["delete", "create"]}
    apply(workspace)
    assert claim_of(workspace).uid != before
    destroyed = workspace.destroy()
    assert destroyed.status == 0, destroyed.output
    assert all(m.claim is None for m in recall(workspace.world_file).machines.values())


def test_a_node_is_imported_by_cluster_and_server(workspace: Workspace) -> None:
    write(workspace, node(f"{LABELS}\n{TAINTS}"))
    apply(workspace)
    uid = workspace.state()["attributes"]["id"]
    assert workspace.run("state", "rm", GPU).status == 0
    imported = workspace.run("import", "-no-color", "-input=false", GPU, f"{uid}/g1")
    assert imported.status == 0, imported.output
    again = workspace.plan()
    assert again.status == NO_CHANGES, again.output


def test_an_import_block_writes_a_configuration_that_needs_no_change(workspace: Workspace) -> None:
    write(workspace, node(f"{LABELS}\n{TAINTS}"))
    apply(workspace)
    uid = workspace.state()["attributes"]["id"]
    assert workspace.run("state", "rm", GPU).status == 0
    write(workspace, f'import {{\n  to = {GPU}\n  id = "{uid}/g1"\n}}\n')
    planned = workspace.run(
        "plan", "-no-color", "-input=false", "-generate-config-out=generated.tf"
    )
    assert "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy." in planned
    apply(workspace)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (node(name="g9"), "the fleet has no server g9"),
        (node(name="s1"), "s1 is not reserved"),
        (node('labels = { "a b" = "c" }'), '"a b" is not a Kubernetes label key'),
        (node(TAINTS.replace("NoSchedule", "Never")), '"Never" is not one of NoSchedule'),
        (node(cluster='"batch"'), 'cluster: "batch" is not the id of a cluster'),
        (node(cluster='""'), 'cluster: "" is not the id of a cluster'),
        (node(cluster='"no such id!"'), 'cluster: "no such id!" is not the id of a cluster'),
        (node("cores = 8"), "cores is set by the provider; remove it"),
        (node('timeouts {\n    create = "soon"\n  }'), '"soon" is not a duration'),
    ],
)
def test_a_bad_node_is_one_clear_error_of_the_plan(
    workspace: Workspace, text: str, error: str
) -> None:
    write(workspace, text)
    planned = workspace.plan()
    assert planned.status == FAILED
    assert error in planned
    assert planned.output.count("Error: ") == 1


def test_one_server_in_two_new_nodes_is_an_error_of_the_plan(workspace: Workspace) -> None:
    write(workspace, node() + node(label="twin"))
    planned = workspace.plan()
    assert planned.status == FAILED
    assert "g1 is in two rpool_nodes of this configuration" in planned
    assert planned.output.count("Error: ") == 1


def test_one_server_in_a_node_and_a_new_one_of_another_cluster_is_an_error_of_the_plan(
    workspace: Workspace,
) -> None:
    write(workspace, node())
    apply(workspace)
    write(workspace, node() + node(label="twin", cluster='"0863513a9c41d07e"'))
    planned = workspace.plan()
    assert planned.status == FAILED
    assert "g1 is in two rpool_nodes of this configuration" in planned


def test_a_node_that_is_replaced_is_one_and_not_two(workspace: Workspace) -> None:
    write(workspace, node())
    apply(workspace)
    replaced = workspace.apply(f"-replace={GPU}")
    assert "1 added, 0 changed, 1 destroyed" in replaced
    assert workspace.run("taint", GPU).status == 0
    assert "1 added, 0 changed, 1 destroyed" in workspace.apply()
    triggered = "lifecycle {\n replace_triggered_by = [rpool_cluster.batch.cores]\n}"
    write(workspace, node(triggered), cores=24, memory=96)
    assert workspace.actions() == {CLUSTER: ["update"], GPU: ["delete", "create"]}
    apply(workspace)


def test_a_node_is_renamed_by_a_moved_block(workspace: Workspace) -> None:
    write(workspace, node())
    apply(workspace)
    before = claim_of(workspace)
    write(workspace, node(label="renamed"))
    words = {"uid": workspace.state()["attributes"]["id"], "server": "g1"}
    assert Do.IMPORT_NODE.text(**words) in workspace.apply("-target=rpool_node.renamed")
    moved = "moved {\n  from = rpool_node.gpu\n  to   = rpool_node.renamed\n}\n"
    write(workspace, node(label="renamed") + moved)
    apply(workspace)
    assert claim_of(workspace) == before


def test_a_second_node_for_a_server_of_the_same_cluster_changes_nothing(
    workspace: Workspace,
) -> None:
    write(workspace, node())
    apply(workspace)
    write(workspace, node() + node(label="twin"))
    assert "put there by another rpool_node" in workspace.apply()
    write(workspace, node())
    assert workspace.plan().status == NO_CHANGES
