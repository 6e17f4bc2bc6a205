"""A cluster that Terraform does not know of comes under its rule: by uid, by name, as a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol.cluster_calls import Calls, errors
from protocol.site_config import cluster, site
from protocol.workspace import CLUSTER, Workspace

NO_CHANGES = 0

FULL: dict[str, Any] = cluster(
    tolerate={"servers": 1},
    selector={"zones": ["rack1", "rack2", "rack3"]},
    networking={"pod_cidr": "10.128.0.0/16"},
    metallb={"pools": {"default": ["10.0.0.210-10.0.0.230"]}},
    drain={"timeout": "90s", "on_timeout": "evict_anyway"},
    kubeadm={"kubelet": "maxPods: 50\n", "ignore_preflight_errors": ["NumCPU"]},
    trust="team-a",
    api_server={
        "oidc": {
            "issuer_url": "https://id.example.org",
            "client_id": "kubernetes",
            "groups_claim": "groups",
        },
        "audit_policy": "rules: [{level: Metadata}]\n",
        "extra_sans": ["api.example.org"],
        "pod_security": "restricted",
        "flags": {"event-ttl": "2h"},
    },
    cores=8,
    memory=32,
)
SITE = site()
for entry in SITE["fleet"].values():
    entry["trust"] = "team-a"
DRAIN_DEFAULTS = {"timeout": "10m", "on_timeout": "fail"}
IMPORT = 'import {{\n  to = rpool_cluster.batch\n  id = "{}"\n}}\n'


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


def _forget(workspace: Workspace) -> None:
    assert workspace.run("state", "rm", CLUSTER).status == 0
    assert workspace.state() is None


@pytest.mark.parametrize("drain", [{}, {"drain": {"timeout": "600s", "on_timeout": "fail"}}])
def test_what_was_created_forgotten_and_imported_needs_no_change(
    workspace: Workspace, drain: dict[str, Any]
) -> None:
    workspace.write(batch=cluster(**drain))
    assert workspace.apply().status == 0
    created = workspace.state()["attributes"]
    _forget(workspace)
    imported = workspace.run("import", "-no-color", "-input=false", CLUSTER, "batch")
    assert imported.status == 0, imported.output
    assert workspace.state()["attributes"] == created | {"drain": DRAIN_DEFAULTS}
    again = workspace.plan()
    assert (again.status, "No changes." in again) == (NO_CHANGES, True), again.output


def test_an_import_block_writes_a_configuration_that_needs_no_change(workspace: Workspace) -> None:
    workspace.write(site_values=SITE, batch=FULL)
    assert workspace.apply().status == 0
    uid = workspace.state()["attributes"]["id"]
    _forget(workspace)
    workspace.write(site_values=SITE, more=IMPORT.format(uid))
    planned = workspace.run(
        "plan", "-no-color", "-input=false", "-generate-config-out=generated.tf"
    )
    assert planned.status == 0, planned.output
    assert "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy." in planned
    applied = workspace.apply()
    assert "Resources: 1 imported, 0 added, 0 changed, 0 destroyed." in applied
    assert workspace.plan().status == NO_CHANGES
    assert workspace.destroy().status == 0


def test_an_import_of_what_is_not_there_says_what_is(shared: Calls, created: Any) -> None:
    reply = shared.plugin.call("ImportResourceState", type_name="rpool_cluster", id="bacth")
    assert errors(reply) == ['no server of the fleet belongs to a cluster "bacth"']
    assert "batch (" in reply.diagnostics[0].detail
    assert not reply.imported_resources
