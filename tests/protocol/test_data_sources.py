"""What Terraform reads and does not manage: the fleet, and clusters, whatever made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.cluster_calls import UNKNOWN, Calls, errors, problems, values
from protocol.plugin_process import PluginProcess, simulated
from protocol.simulated_provider import Kept, keep, recall
from protocol.site_config import Expression, cluster, packed, site
from protocol.workspace import Workspace


class Data:
    """The calls for one data source, in the order in which Terraform makes them."""

    def __init__(self, plugin: PluginProcess, name: str) -> None:
        self.plugin, self.name = plugin, name
        self.schema = plugin.call("GetProviderSchema").data_source_schemas[name]

    def validate(self, **config: Any) -> list[str]:
        return errors(self._call("ValidateDataResourceConfig", config))

    def read(self, **config: Any) -> Any:
        return self._call("ReadDataSource", config)

    def _call(self, call: str, config: dict[str, Any]) -> Any:
        packed_config = packed(self.schema, config)
        return self.plugin.call(call, type_name=self.name, config=packed_config)


def test_both_data_sources_are_announced(shared: Calls) -> None:
    names = {source.type_name for source in shared.plugin.call("GetMetadata").data_sources}
    assert names == set(shared.plugin.call("GetProviderSchema").data_source_schemas)
    assert names == {"rpool_cluster", "rpool_fleet"}


@pytest.mark.parametrize("key", ["name", "id"])
def test_a_cluster_is_read_as_the_resource_has_it(shared: Calls, created: Any, key: str) -> None:
    resource = values(created)
    source = Data(shared.plugin, "rpool_cluster")
    reply = source.read(**{key: resource[key]})
    assert errors(reply) == []
    data = values(reply.state)
    status = {name: data.pop(name) for name in ("allocatable", "nodes")}
    assert data == {name: resource[name] for name in data}
    assert status["nodes"].keys() == resource["servers"].keys()
    for name, node in status["nodes"].items():
        role = resource["servers"][name]["role"]
        assert node == {"role": role, "ready": True, "schedulable": True}
    assert status["allocatable"]["cores"] == 16
    assert 60 < float(status["allocatable"]["memory"]) < 64


@pytest.mark.parametrize(
    ("source", "config"),
    [
        ("rpool_fleet", {"free_cores": 1}),
        ("rpool_fleet", {"servers": UNKNOWN}),
        ("rpool_cluster", {"name": "batch", "cores": 1}),
        ("rpool_cluster", {"name": "batch", "nodes": {}}),
    ],
)
def test_what_a_data_source_tells_is_not_set(
    shared: Calls, source: str, config: dict[str, Any]
) -> None:
    attribute = list(config)[-1]
    (error,) = Data(shared.plugin, source).validate(**config)
    assert error == f"{attribute} is set by the provider; remove it"


@pytest.mark.parametrize("config", [{}, {"name": "batch", "id": "0863513a9c41d07e"}])
def test_a_cluster_is_asked_for_by_one_key(shared: Calls, config: dict[str, Any]) -> None:
    source = Data(shared.plugin, "rpool_cluster")
    assert source.validate(**config) == [
        "data source rpool_cluster needs exactly one of name and id"
    ]


def test_a_key_that_is_not_known_yet_is_no_mistake(shared: Calls) -> None:
    source = Data(shared.plugin, "rpool_cluster")
    assert source.validate(name=UNKNOWN) == []


def test_a_cluster_that_is_not_there_is_an_error(shared: Calls, created: Any) -> None:
    reply = Data(shared.plugin, "rpool_cluster").read(name="bacth")
    assert errors(reply) == ['no server of the fleet belongs to a cluster "bacth"']


def test_a_name_is_not_taken_for_an_id(shared: Calls, created: Any) -> None:
    reply = Data(shared.plugin, "rpool_cluster").read(id="batch")
    assert problems(reply) == [(("id",), "no cluster of this site has the id batch")]


def test_the_fleet_shows_whose_each_server_is(calls: Calls, world_file: Path) -> None:
    calls.create(cluster())
    with PluginProcess(simulated(world_file)) as other:
        machines = recall(world_file).machines
        spare = next(name for name, machine in machines.items() if machine.claim is None)
        machines[spare].powered = False
        keep(world_file, Kept(machines))
        fleet = values(Data(Calls(other).plugin, "rpool_fleet").read().state)
    assert fleet["servers"].keys() == machines.keys()
    assert (fleet["free_cores"], fleet["free_memory"]) == (0, 0)
    lost = fleet["servers"].pop(spare)
    assert (lost["reachable"], lost["spare"], lost["pool"]) == (False, False, None)
    assert f"{spare} cannot be reached" in lost["why"]
    for server in fleet["servers"].values():
        assert (server["pool"], server["phase"], server["spare"]) == ("batch", "member", False)
        assert "claimed by cluster batch" in server["why"]


def test_a_server_that_nobody_has_is_free_unless_it_is_marked(world_file: Path) -> None:
    marked = site()
    marked["fleet"]["s1"]["reserved"] = True
    marked["fleet"]["s2"] |= {"labels": {"disk": "nvme"}, "trust": "team-a"}
    with PluginProcess(simulated(world_file)) as process:
        fleet = values(Data(Calls(process, marked).plugin, "rpool_fleet").read().state)
    assert (fleet["free_cores"], fleet["free_memory"]) == (5 * 8, 5 * 32)
    assert fleet["servers"]["s2"] == {
        "address": "10.0.0.3",
        "zone": "rack3",
        "cores": 8,
        "memory": 32,
        "labels": {"disk": "nvme"},
        "reserved": False,
        "retire": False,
        "lost": False,
        "trust": "team-a",
        "reachable": True,
        "pool": None,
        "pool_id": None,
        "role": None,
        "phase": None,
        "let_go": False,
        "spare": True,
        "failures": [],
        "why": None,
    }


DATA = """
data "rpool_fleet" "all" {}
data "rpool_cluster" "batch" { name = rpool_cluster.batch.name }
output "free" { value = data.rpool_fleet.all.free_cores }
output "ready" { value = [for node in data.rpool_cluster.batch.nodes : node.ready] }
output "same" { value = data.rpool_cluster.batch.servers == rpool_cluster.batch.servers }
"""


def test_terraform_reads_both(tmp_path: Path, world_file: Path) -> None:
    workspace = Workspace(tmp_path, world_file)
    workspace.write(batch=cluster())
    assert workspace.apply().status == 0
    workspace.write(batch=cluster(), more=DATA)
    applied = workspace.apply()
    assert applied.status == 0, applied.output
    printed = json.loads(workspace.run("output", "-json").output)
    outputs = {name: output["value"] for name, output in printed.items()}
    assert outputs == {"free": 8, "ready": [True] * 5, "same": True}
    assert workspace.plan().status == 0


def test_a_site_that_is_not_known_yet_can_be_read_in_the_apply(
    tmp_path: Path, world_file: Path
) -> None:
    workspace = Workspace(tmp_path, world_file)
    unsure = site()
    unsure["fleet"]["s2"]["address"] = Expression("terraform_data.rack.output")
    rack = 'resource "terraform_data" "rack" { input = "10.0.0.3" }\n'
    workspace.write(site_values=unsure, more=rack + 'data "rpool_fleet" "all" {}')
    planned = workspace.plan()
    assert planned.status == 1
    assert "the provider's configuration is not known yet" in planned
    later = 'data "rpool_fleet" "all" { depends_on = [terraform_data.rack] }'
    workspace.write(site_values=unsure, more=rack + later)
    assert workspace.apply().status == 0
