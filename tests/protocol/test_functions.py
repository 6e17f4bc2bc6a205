"""The provider's functions, called by the real Terraform: also within the provider's own block."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from protocol.cluster_calls import Calls
from protocol.plugin_process import LAUNCHER
from protocol.site_config import Expression, cluster
from protocol.workspace import Workspace, is_opentofu
from rpool.simulate import FILE_NAME

INVENTORY = """
[rack1]
r1u01 ansible_host=10.0.1.1 rpool_cores=4 rpool_memory=16Gi
r1u02 ansible_host=10.0.1.2 rpool_cores=32 rpool_memory=128Gi rpool_labels='{"disk": "nvme"}'

[rack2]
r2u01 ansible_host=10.0.2.1 rpool_cores=32 rpool_memory=128

[all:vars]
ansible_user=ops
"""
FLEET = {
    "r1u01": {"address": "10.0.1.1", "cores": 4, "memory": 16, "zone": "rack1"},
    "r1u02": {
        "address": "10.0.1.2",
        "cores": 32,
        "memory": 128,
        "zone": "rack1",
        "labels": {"disk": "nvme"},
    },
    "r2u01": {"address": "10.0.2.1", "cores": 32, "memory": 128, "zone": "rack2"},
}

FUNCTIONS = 'provider "rpool" {\n  alias = "functions"\n  simulate {\n    servers = 1\n  }\n}\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, tmp_path / FILE_NAME, provider=[str(LAUNCHER)])


def evaluated(workspace: Workspace, *expressions: str) -> list[Any]:
    """The values of outputs with these expressions after an apply."""
    outputs = [
        f'output "o{n}" {{\n  value = {expression}\n}}' for n, expression in enumerate(expressions)
    ]
    workspace.write(site_values={"simulate": {"servers": 3}}, more="\n".join(outputs))
    applied = workspace.apply()
    assert applied.status == 0, applied.output
    printed = json.loads(workspace.run("output", "-json").output)
    return [printed[f"o{n}"]["value"] for n in range(len(expressions))]


def test_terraform_calls_them(workspace: Workspace) -> None:
    (workspace.folder / "hosts.ini").write_text(INVENTORY)
    fleet, memory, total = evaluated(
        workspace,
        'provider::rpool::inventory(file("hosts.ini"))',
        'provider::rpool::gib("192Gi")',
        'provider::rpool::gib("1Ti") + 1',
    )
    assert (memory, total) == (192, 1025)
    assert fleet == FLEET


def test_an_inventory_is_a_fleet_in_the_provider_s_own_block(workspace: Workspace) -> None:
    """OpenTofu takes no function from the block that calls it, but from another one."""
    (workspace.folder / "hosts.ini").write_text(INVENTORY)
    name = "functions::inventory" if is_opentofu() else "inventory"
    call = Expression(f'provider::rpool::{name}(file("hosts.ini"))')
    one = {"servers": 1, "endpoint": {"vip": "10.0.1.200"}}
    workspace.write(
        site_values={"simulate": {}, "fleet": call},
        more=FUNCTIONS if is_opentofu() else "",
        batch=cluster(control_plane=one),
    )
    applied = workspace.apply()
    assert applied.status == 0, applied.output
    members = workspace.state()["attributes"]["servers"]
    assert members.keys() < FLEET.keys()
    assert len(members) == 2
    assert workspace.plan().status == 0


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ('gib("200G")', "is 186.265 GiB, and the memory of a server is a whole number of them"),
        ('gib("lots")', "'lots' is no quantity"),
        ('inventory("[a:children]\\nnowhere")', "inventory is no inventory that Ansible can read"),
        ('inventory("a rpool_core=4")', "a has rpool_core, which is no setting"),
    ],
)
def test_a_wrong_argument_is_an_error_at_its_place(
    workspace: Workspace, call: str, error: str
) -> None:
    output = f'output "o" {{\n  value = provider::rpool::{call}\n}}'
    workspace.write(site_values={"simulate": {"servers": 3}}, more=output)
    planned = workspace.plan()
    assert planned.status == 1
    assert error in planned
    assert "Invalid value for" in planned


def test_every_call_that_lists_functions_lists_the_same(shared: Calls) -> None:
    listed = shared.plugin.call("GetFunctions").functions
    assert set(listed) == {"gib", "inventory"}
    assert shared.plugin.call("GetProviderSchema").functions == listed
    assert {function.name for function in shared.plugin.call("GetMetadata").functions} == set(
        listed
    )


def test_a_function_that_there_is_not_is_an_error(shared: Calls) -> None:
    argument = {"msgpack": msgpack.packb("x")}
    reply = shared.plugin.call("CallFunction", name="moon", arguments=[argument])
    assert "function moon" in reply.error.text
    assert not reply.result.msgpack
