"""The real Terraform with the real provider process, on modelled servers."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from protocol.plugin_process import CHECKOUT, LAUNCHER
from protocol.simulated_provider import Faults, Kept, keep, recall
from protocol.site_config import PRIVATE_KEY, Expression, cluster, host_key, server, site
from protocol.workspace import CLUSTER, Workspace, unpacked
from rpool.errors import CommandFailed
from rpool.model import action as act

NO_CHANGES, CHANGES, FAILED = 0, 2, 1


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


def test_a_cluster_is_planned_created_found_unchanged_and_destroyed(workspace: Workspace) -> None:
    workspace.write(batch=cluster())
    planned = workspace.plan()
    assert planned.status == CHANGES
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in planned
    assert "Pool batch will likely take" in planned
    assert workspace.apply().status == 0
    assert workspace.state()["attributes"]["condition"] == "settled"
    again = workspace.plan()
    assert (again.status, "No changes." in again) == (NO_CHANGES, True)
    assert workspace.destroy().status == 0
    assert workspace.state() is None
    assert all(m.claim is None for m in recall(workspace.world_file).machines.values())


def test_edits_of_a_cluster_are_in_place_an_error_or_a_replacement(workspace: Workspace) -> None:
    workspace.write(batch=cluster())
    assert workspace.apply().status == 0
    uid = workspace.state()["attributes"]["id"]

    workspace.write(batch=cluster(timeouts={"delete": "5m"}))
    assert workspace.actions() == {CLUSTER: ["update"]}
    assert workspace.apply().status == 0
    assert workspace.plan().status == NO_CHANGES

    workspace.write(batch=cluster(kubernetes_version="1.36.4"))
    refused = workspace.plan()
    assert refused.status == FAILED
    assert "kubernetes_version cannot be changed in place by this version" in refused

    workspace.write(batch=cluster(networking={"cni": "none"}))
    shown = workspace.plan()
    assert '"flannel" -> "none" # forces replacement' in shown
    assert workspace.apply().status == 0
    assert workspace.state()["attributes"]["id"] != uid


def test_a_setting_from_something_not_applied_yet_is_checked_later(workspace: Workspace) -> None:
    later = """
resource "terraform_data" "size" { input = { cores = 16, zone = "rack1", address = "10.0.0.3" } }
"""
    unsure = site()
    unsure["fleet"]["s2"]["address"] = Expression("terraform_data.size.output.address")
    zones = ["rack2", "rack3", Expression("terraform_data.size.output.zone")]
    workspace.write(
        more=later,
        site_values=unsure,
        batch=cluster(
            cores=Expression("terraform_data.size.output.cores"), selector={"zones": zones}
        ),
    )
    assert workspace.errors() == []
    assert workspace.plan().status == CHANGES
    assert workspace.apply().status == 0
    assert workspace.plan().status == NO_CHANGES


def test_two_clusters_are_made_at_once(workspace: Workspace) -> None:
    fleet = {f"s{n}": server(n, labels={"for": "ab"[n % 2]}) for n in range(1, 13)}
    workspace.write(
        site_values=site() | {"fleet": fleet},
        batch=cluster(name="a", selector={"labels": {"for": "a"}}),
        other=cluster(
            name="b",
            selector={"labels": {"for": "b"}},
            control_plane={"servers": 1, "endpoint": {"vip": "10.0.0.201"}},
        ),
    )
    assert "2 added" in workspace.apply()
    assert workspace.plan().status == NO_CHANGES


def test_a_create_that_fails_is_tainted_and_made_anew(workspace: Workspace) -> None:
    failing: Faults = {
        (act.ApplyNetwork, f"s{n}"): CommandFailed("no manifest") for n in range(1, 7)
    }
    keep(workspace.world_file, Kept(broken=failing))
    workspace.write(batch=cluster())
    failed = workspace.apply()
    assert failed.status != 0
    assert "no manifest" in failed
    tainted = workspace.state()
    assert tainted["status"] == "tainted"
    assert tainted["attributes"]["servers"]

    keep(workspace.world_file, Kept(recall(workspace.world_file).machines))
    assert workspace.actions() == {CLUSTER: ["delete", "create"]}
    assert workspace.apply().status == 0
    assert workspace.plan().status == NO_CHANGES


def test_ctrl_c_keeps_in_state_what_was_claimed(workspace: Workspace) -> None:
    keep(workspace.world_file, Kept(seconds=0.4))
    workspace.write(batch=cluster())
    process = workspace.start("apply", "-no-color", "-input=false", "-auto-approve")
    while not any(m.claim for m in recall(workspace.world_file).machines.values()):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0, output
    claimed = {n for n, m in recall(workspace.world_file).machines.items() if m.claim}
    assert set(workspace.state()["attributes"]["servers"]) == claimed
    keep(workspace.world_file, Kept(recall(workspace.world_file).machines))
    assert workspace.destroy().status == 0
    assert all(m.claim is None for m in recall(workspace.world_file).machines.values())


def test_every_step_is_a_log_line_with_its_level(workspace: Workspace) -> None:
    workspace.write(batch=cluster())
    log = workspace.folder / "log"
    applied = workspace.run("apply", "-auto-approve", TF_LOG_PROVIDER="INFO", TF_LOG_PATH=str(log))
    assert applied.status == 0
    steps = [line for line in log.read_text().splitlines() if "[INFO]" in line and "step=" in line]
    assert len(steps) > 10
    assert all("pool=batch" in line for line in steps)


SECRET = PRIVATE_KEY.splitlines()[1]


def where_the_key_is(workspace: Workspace, variable: str) -> list[str]:
    """Plan, show and apply with the key in a variable of this kind, and look into all that is left
    of it.
    """
    ssh = {"ssh": {"private_key": Expression("var.ssh_key")}}
    declared = f'variable "ssh_key" {{\n  type = string\n  {variable}\n}}\n'
    workspace.write(more=declared, site_values=site() | ssh, batch=cluster())
    log = workspace.folder / "log"
    given = {"TF_LOG": "TRACE", "TF_LOG_PATH": str(log), "TF_VAR_ssh_key": PRIVATE_KEY}
    planned = workspace.run("plan", "-no-color", "-out=plan", **given)
    shown = workspace.run("show", "-json", "plan")
    applied = workspace.run("apply", "-no-color", "plan", **given)
    assert (planned.status, shown.status, applied.status) == (0, 0, 0), applied.output
    written = {
        "output": planned.output + applied.output,
        "log": log.read_text(),
        "state": (workspace.folder / "terraform.tfstate").read_text(),
        "saved plan": unpacked(workspace.folder / "plan"),
        "saved plan in JSON": shown.output,
    }
    assert all(written.values()), "something that should have been looked at was empty"
    return [where for where, text in written.items() if SECRET in text]


def test_the_private_key_is_in_no_state_plan_log_or_output(workspace: Workspace) -> None:
    assert where_the_key_is(workspace, "ephemeral = true") == []


def test_a_variable_that_is_only_sensitive_would_be_in_saved_plans(workspace: Workspace) -> None:
    """Why the README has an ephemeral one; and that the test before this one would find a key."""
    assert where_the_key_is(workspace, "sensitive = true") == ["saved plan", "saved plan in JSON"]


def examples() -> dict[str, str]:
    """Each configuration that people are shown, by its file."""
    files = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
    files += sorted((CHECKOUT / "examples").rglob("*.tf"))
    return {str(path.relative_to(CHECKOUT)): path.read_text() for path in files}


def test_whoever_copies_an_example_has_no_key_in_a_saved_plan() -> None:
    shown = examples()
    declared = re.compile(r'variable "ssh_key" \{[^}]*ephemeral\s*=\s*true')
    assert declared.search(shown["README.md"])
    assert declared.search(shown["examples/terraform/one-cluster/variables.tf"])
    for name, text in shown.items():
        if re.search(r"var\.ssh_key\b", text):
            beside = [t for n, t in shown.items() if Path(n).parent == Path(name).parent]
            assert any(map(declared.search, beside)), name


@pytest.mark.parametrize("given", ["variable", "file"])
def test_the_example_takes_a_key_from_a_variable_or_a_file(tmp_path: Path, given: str) -> None:
    """With the modelled servers of the checkout's own provider."""
    example = CHECKOUT / "examples/terraform/one-cluster"
    for path in example.glob("*.tf"):
        simulated = path.read_text().replace(
            'provider "rpool" {', 'provider "rpool" {\n  simulate = {}'
        )
        (tmp_path / path.name).write_text(simulated)
    (tmp_path / "fleet.yaml").write_text(json.dumps(site()["fleet"]))
    (tmp_path / "key").write_text(PRIVATE_KEY)
    settings = {
        "fleet_file": "fleet.yaml",
        "api_vip": "10.0.0.200",
        "service_addresses": ["10.0.0.210-10.0.0.230"],
        "selector": {"labels": {}},
        **({"ssh_key_file": "key"} if given == "file" else {}),
    }
    (tmp_path / "site.auto.tfvars.json").write_text(json.dumps(settings))
    workspace = Workspace(tmp_path, tmp_path / "world", provider=[str(LAUNCHER)])
    key = {"TF_VAR_ssh_key": PRIVATE_KEY} if given == "variable" else {}
    planned = workspace.run("plan", "-no-color", "-out=plan", **key)
    assert planned.status == 0, planned.output
    assert SECRET not in unpacked(tmp_path / "plan")
    applied = workspace.run("apply", "-no-color", "plan", **key)
    assert applied.status == 0, applied.output


BAD_SITES: list[tuple[Any, str]] = [
    ({"fleet": {}}, "fleet must not be empty"),
    ({"fleet": {"s1": server(1, cores=0)}}, "fleet.s1.cores must be at least 1"),
    ({"fleet": {"s1": server(1, memory=2.5)}}, "fleet.s1.memory must be a whole number"),
    ({"fleet": {"s1": server(1, host_key="ssh-ed25519 AAAA")}}, "fleet.s1.host_key: this host key"),
    ({"fleet": {"S_1": server(1)}}, '"S_1" is not a DNS label'),
    ({"fleet": {"s1": server(1), "s2": server(2, host_key=host_key(1))}}, "the same host_key"),
    ({"ssh": {"private_key": "~/.ssh/id_ed25519"}}, "ssh.private_key: this is not a private key"),
    ({"mirrors": {"images": "ftp://x"}}, '"ftp://x" is not an http or https address'),
]

BAD_CLUSTERS: list[tuple[Any, str]] = [
    ({"name": "Batch_1"}, '"Batch_1" is not a DNS label'),
    ({"cores": 0}, "cores must be at least 1"),
    ({"memory": 1.5}, "memory must be a whole number"),
    ({"kubernetes_version": "1.12.0"}, "Kubernetes 1.12.0 is not supported"),
    ({"kubernetes_version": "v1.36"}, '"v1.36" is not a Kubernetes version'),
    (
        {"control_plane": {"servers": 2, "endpoint": {"vip": "10.0.0.200"}}},
        "2 control planes are not possible",
    ),
    ({"control_plane": {"endpoint": {}}}, "endpoint needs exactly one of vip and address"),
    ({"control_plane": {"endpoint": {"vip": "api"}}}, '"api" is not an IPv4 address'),
    ({"networking": {"cni": "magic"}}, '"magic" is not one of "flannel" or "none"'),
    ({"networking": {"pod_cidr": "10.0.0.1/16"}}, "is not an IPv4 network"),
    ({"metallb": {"pools": {"a": ["10.0.0.9-10.0.0.1"]}}}, "ends before it begins"),
    ({"kubeadm": {"kubelet": "- a"}}, "this is not a YAML mapping"),
    ({"timeouts": {"create": "soon"}}, '"soon" is not a duration'),
]


@pytest.mark.parametrize(("change", "error"), BAD_SITES)
def test_a_bad_site_is_one_clear_error_of_validate(
    workspace: Workspace, change: dict[str, Any], error: str
) -> None:
    workspace.write(site_values=site() | change, batch=cluster())
    _assert_one_error(workspace, error)


@pytest.mark.parametrize(("change", "error"), BAD_CLUSTERS)
def test_a_bad_cluster_is_one_clear_error_of_validate(
    workspace: Workspace, change: dict[str, Any], error: str
) -> None:
    workspace.write(batch=cluster(**change))
    _assert_one_error(workspace, error)


def _assert_one_error(workspace: Workspace, error: str) -> None:
    (found,) = workspace.errors()
    assert error in found["summary"]
    assert found["range"]["start"]["line"] > 5  # it points into the block


BAD_FOR_THIS_SITE: list[tuple[Any, str]] = [
    ({"cores": 1000}, "pool batch does not fit"),
    ({"control_plane": {"servers": 7, "endpoint": {"vip": "10.0.0.200"}}}, "does not fit"),
    ({"selector": {"zones": ["rack9"]}}, "no server of the fleet is in zone rack9"),
    ({"selector": {"labels": {"disk": "nvme"}}}, "has the label disk = nvme"),
    ({"networking": {"service_cidr": "10.244.0.0/16"}}, "overlaps pod_cidr"),
    ({"networking": {"pod_cidr": "10.0.0.0/16"}}, "pod_cidr 10.0.0.0/16"),
    ({"metallb": {"pools": {"a": ["10.0.0.190-10.0.0.210"]}}}, "vip 10.0.0.200 lies inside"),
]


@pytest.mark.parametrize(("change", "error"), BAD_FOR_THIS_SITE)
def test_what_this_site_cannot_give_is_an_error_of_the_plan(
    workspace: Workspace, change: dict[str, Any], error: str
) -> None:
    workspace.write(batch=cluster(**change))
    planned = workspace.plan()
    assert planned.status == FAILED
    assert error in planned
    assert not workspace.world_file.exists()
