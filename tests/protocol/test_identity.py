"""What a resource is known by, and an import by it: from Terraform 1.12 and OpenTofu 1.12 on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from lab.terraform import version

from protocol.cluster_calls import Calls, errors, identity, values
from protocol.plugin_process import PluginProcess, simulated
from protocol.site_config import cluster, packed, server, site
from protocol.workspace import CLUSTER, Workspace, terraform

SITE = site() | {"fleet": site()["fleet"] | {"g1": server(20, reserved=True)}}
GPU = "rpool_node.gpu"
NODE = 'resource "rpool_node" "gpu" {\n  cluster = rpool_cluster.batch.id\n  server  = "g1"\n}\n'
KNOWN_BY = {"rpool_cluster": ["id"], "rpool_node": ["cluster", "server"]}


@pytest.fixture
def calls(world_file: Path) -> Iterator[Calls]:
    with PluginProcess(simulated(world_file)) as process:
        yield Calls(process, SITE)


def by(**attributes: Any) -> dict[str, Any]:
    return {"identity_data": {"msgpack": msgpack.packb(attributes)}}


def test_each_resource_has_one_of_text_that_an_import_has_to_name(shared: Calls) -> None:
    schemas = shared.plugin.call("GetResourceIdentitySchemas").identity_schemas
    attributes = {name: schema.identity_attributes for name, schema in schemas.items()}
    assert {name: [a.name for a in parts] for name, parts in attributes.items()} == KNOWN_BY
    assert schemas.keys() == shared.plugin.call("GetProviderSchema").resource_schemas.keys()
    for attribute in (a for parts in attributes.values() for a in parts):
        assert (attribute.type, attribute.required_for_import) == (b'"string"', True)
        assert attribute.description


def test_a_cluster_has_its_own_from_its_create_to_its_end(calls: Calls) -> None:
    planned = calls.plan(cluster())
    assert identity(planned.planned_identity) is None  # its uid is drawn by the apply
    made = calls.apply(planned.planned_state)
    known = {"id": values(made.new_state)["id"]}
    assert identity(made.new_identity) == known
    read = calls.read(made.new_state, made.private)
    assert identity(read.new_identity) == known
    calls.configure(SITE)
    bigger = calls.plan(cluster(cores=24, memory=96), read.new_state, read.private)
    assert identity(bigger.planned_identity) == known
    grown = calls.apply(bigger.planned_state, read.new_state, bigger.planned_private)
    assert errors(grown) == []
    assert identity(grown.new_identity) == known
    going = calls.plan(None, grown.new_state, grown.private)
    assert identity(going.planned_identity) is None
    gone = calls.apply(going.planned_state, grown.new_state, going.planned_private)
    assert errors(gone) == []
    assert identity(gone.new_identity) is None


def test_what_fails_leaves_the_identity_of_what_is_left(calls: Calls) -> None:
    made = calls.create(cluster())
    calls.configure(SITE)
    bigger = calls.plan(cluster(cores=24, memory=96), made.new_state, made.private)
    vip = {"servers": 1, "endpoint": {"vip": "10.0.0.201"}}
    new = calls.plan(cluster(name="other", control_plane=vip, cores=8, memory=32))
    assert errors(bigger) + errors(new) == []
    calls.plugin.call("StopProvider")
    stopped = calls.apply(bigger.planned_state, made.new_state)
    assert errors(stopped)
    assert values(stopped.new_state) == values(made.new_state)
    assert identity(stopped.new_identity) == {"id": values(made.new_state)["id"]}
    never = calls.apply(new.planned_state)
    assert errors(never)
    assert identity(never.new_identity) is None


def test_a_cluster_and_a_node_are_imported_by_it_as_by_their_ids(calls: Calls) -> None:
    uid = values(calls.create(cluster()).new_state)["id"]
    schema = calls.plugin.call("GetProviderSchema").resource_schemas["rpool_node"]
    config = packed(schema, {"cluster": uid, "server": "g1"})
    node = {"type_name": "rpool_node", "prior_state": packed(schema, None)}
    planned = calls.plugin.call(
        "PlanResourceChange", **node, proposed_new_state=config, config=config
    )
    assert identity(planned.planned_identity) == {"cluster": uid, "server": "g1"}
    put_in = calls.plugin.call(
        "ApplyResourceChange", **node, planned_state=planned.planned_state, config=config
    )
    assert errors(put_in) == []
    for kind, id_, known in (
        ("rpool_cluster", uid, {"id": uid}),
        ("rpool_node", f"{uid}/g1", {"cluster": uid, "server": "g1"}),
    ):
        replies = [
            calls.plugin.call("ImportResourceState", type_name=kind, **asked)
            for asked in ({"id": id_}, {"identity": by(**known)})
        ]
        assert replies[0].imported_resources
        assert replies[0] == replies[1]
        assert identity(replies[1].imported_resources[0].identity) == known


@pytest.mark.parametrize(
    ("kind", "known", "error"),
    [
        ("rpool_cluster", {"id": None}, "the import identity has no id"),
        ("rpool_cluster", {"id": ""}, "the import identity has no id"),
        ("rpool_cluster", {"id": "0863513a9c41d07e"}, "no server of the fleet belongs to"),
        ("rpool_node", {"cluster": None, "server": ""}, "has no cluster and no server"),
    ],
)
def test_an_import_by_one_of_nothing_says_so(
    shared: Calls, created: Any, kind: str, known: dict[str, Any], error: str
) -> None:
    reply = shared.plugin.call("ImportResourceState", type_name=kind, identity=by(**known))
    (summary,) = errors(reply)
    assert error in summary
    assert not reply.imported_resources


def test_one_of_another_shape_that_was_saved_is_brought_into_today_s(shared: Calls) -> None:
    saved = {"id": "0863513a9c41d07e", "once": "there"}
    reply = shared.plugin.call(
        "UpgradeResourceIdentity",
        type_name="rpool_cluster",
        version=0,
        raw_identity={"json": json.dumps(saved).encode()},
    )
    assert identity(reply.upgraded_identity) == {"id": "0863513a9c41d07e"}


def test_import_blocks_name_a_cluster_and_a_node_by_it(tmp_path: Path, world_file: Path) -> None:
    """A program that knows no identities refuses them by itself."""
    workspace = Workspace(tmp_path, world_file)
    workspace.write(site_values=SITE, more=NODE, batch=cluster())
    assert workspace.apply().status == 0
    uid = workspace.state()["attributes"]["id"]
    known = {CLUSTER: {"id": uid}, GPU: {"cluster": uid, "server": "g1"}}
    for address in known:
        assert workspace.run("state", "rm", address).status == 0
    blocks = [f"import {{\n to = {to}\n identity = {json.dumps(i)}\n}}" for to, i in known.items()]
    workspace.write(site_values=SITE, more=NODE + "\n".join(blocks), batch=cluster())
    planned = workspace.plan()
    if version(terraform()) < (1, 12):
        assert (planned.status, "identity" in planned) == (1, True), planned.output
        return
    assert "Plan: 2 to import, 0 to add, 0 to change, 0 to destroy." in planned, planned.output
    applied = workspace.apply()
    assert "2 imported, 0 added, 0 changed, 0 destroyed" in applied, applied.output
    assert workspace.plan().status == 0
    state = json.loads((tmp_path / "terraform.tfstate").read_text())
    kept = {f"{r['type']}.{r['name']}": r["instances"][0]["identity"] for r in state["resources"]}
    assert kept == known
