"""The real Terraform with the real provider process, on modelled servers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from protocol.simulated_provider import Faults, Kept, keep, recall
from protocol.site_config import Expression, cluster, host_key, server, site
from protocol.workspace import CLUSTER, Workspace
from rpool.advice import Do
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
    assert "Cluster batch will likely take" in planned
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
    assert "kubernetes_version: rpool cannot upgrade Kubernetes yet" in refused

    workspace.write(batch=cluster(networking={"cni": "none"}))
    replacing = workspace.plan()
    assert '"flannel" -> "none" # forces replacement' in replacing
    assert workspace.apply().status == 0
    assert workspace.state()["attributes"]["id"] != uid


def test_a_cluster_is_built_anew_as_advised(workspace: Workspace) -> None:
    workspace.write(batch=cluster())
    assert workspace.apply().status == 0
    uid = workspace.state()["attributes"]["id"]
    workspace.write(batch=cluster(kubernetes_version="1.36.4"))
    assert Do.SET_BACK.text(to=" to 1.36.3") in workspace.plan()
    given_back = workspace.destroy("-refresh=false", f"-target={CLUSTER}")
    assert given_back.status == 0, given_back.output
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


def test_a_create_that_fails_once_it_serves_is_mended_by_the_next_apply(
    workspace: Workspace,
) -> None:
    failing: Faults = {
        (act.ApplyNetwork, f"s{n}"): CommandFailed("no manifest") for n in range(1, 7)
    }
    keep(workspace.world_file, Kept(broken=failing))
    workspace.write(batch=cluster())
    done = workspace.apply()
    assert done.status == 0
    assert "is up, but incomplete: no manifest" in done
    assert workspace.state()["attributes"]["condition"] == "incomplete"

    keep(workspace.world_file, Kept(recall(workspace.world_file).machines))
    assert workspace.actions() == {CLUSTER: ["update"]}
    assert workspace.apply().status == 0
    assert workspace.plan().status == NO_CHANGES


def test_a_create_that_fails_is_tainted_and_gone_on_with(workspace: Workspace) -> None:
    failing: Faults = {(act.Init, f"s{n}"): CommandFailed("no manifest") for n in range(1, 7)}
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
    again = workspace.apply()
    assert again.status == 0
    assert "continues an interrupted create" in again
    assert workspace.plan().status == NO_CHANGES
    claimed = {n for n, m in recall(workspace.world_file).machines.items() if m.claim}
    assert set(workspace.state()["attributes"]["servers"]) == claimed


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
    (
        {"control_plane": {"servers": 1, "endpoint": {}}},
        "endpoint needs exactly one of vip and address",
    ),
    (
        {"control_plane": {"servers": 1, "endpoint": {"vip": "api"}}},
        '"api" is not an IPv4 address',
    ),
    ({"networking": {"cni": "magic"}}, '"magic" is not one of "'),
    ({"networking": {"pod_cidr": "10.0.0.1/16"}}, "the network is 10.0.0.0/16"),
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
    (diagnostic,) = workspace.errors()
    assert error in diagnostic["summary"]
    assert diagnostic["range"]["start"]["line"] > 5  # it points into the block


BAD_FOR_THIS_SITE: list[tuple[Any, str]] = [
    ({"cores": 1000}, "cluster batch does not fit"),
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
