"""What a release has left is read by today's provider, and goes on from there (see README.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from protocol.cluster_calls import Calls, errors, values
from protocol.plugin_process import PluginProcess, simulated
from protocol.workspace import Workspace

from golden.kept import HERE, VERSION, Kept, claims_of, made_anew, records_of, released
from golden.kept import machines_of as machines
from rpool.model.claim import Claim
from rpool.reach import documents
from rpool_provider.provider import Provider

NO_CHANGES, CHANGES = 0, 2
EACH_RELEASE = pytest.mark.parametrize("kept", released(), ids=lambda kept: kept.folder.name)


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return made_anew(tmp_path_factory.mktemp("today"))


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    with PluginProcess(simulated(tmp_path_factory.mktemp("golden") / "world")) as process:
        yield Calls(process)


@EACH_RELEASE
def test_nothing_is_to_be_done_after_an_upgrade_of_rpool(kept: Kept, tmp_path: Path) -> None:
    workspace = kept.restore(tmp_path)
    planned = workspace.plan()
    assert planned.status == NO_CHANGES, planned.output


@EACH_RELEASE
def test_what_it_has_made_can_be_changed_and_given_back(kept: Kept, tmp_path: Path) -> None:
    workspace = kept.restore(tmp_path)
    before = set(kept.instances["rpool_cluster.full"]["attributes"]["servers"])
    text = (tmp_path / "main.tf").read_text()
    assert text.count("cores              = 16") == 1
    larger = text.replace("cores              = 16", "cores              = 32")
    (tmp_path / "main.tf").write_text(larger.replace("memory             = 64", "memory = 128"))
    assert workspace.plan().status == CHANGES
    grown = workspace.apply()
    assert grown.status == 0, grown.output
    assert workspace.plan().status == NO_CHANGES
    assert before == set(workspace.state("rpool_cluster.full")["attributes"]["servers"])
    assert workspace.state("rpool_cluster.small")["attributes"]["allocated_cores"] == 32
    destroyed = workspace.destroy()
    assert destroyed.status == 0, destroyed.output
    spares = machines(workspace)
    assert len(spares) == 21
    assert claims_of(spares) == {}


@EACH_RELEASE
def test_its_state_is_read_without_any_server(kept: Kept, calls: Calls) -> None:
    assert {
        address.partition(".")[0] for address in kept.instances
    } == Provider.resource_schemas.keys()
    for address, instance in kept.instances.items():
        raw = {"json": json.dumps(instance["attributes"]).encode()}
        reply = calls.plugin.call(
            "UpgradeResourceState",
            type_name=address.partition(".")[0],
            version=instance["schema_version"],
            raw_state=raw,
        )
        assert errors(reply) == []
        read = values(reply.upgraded_state)
        lost = [name for name, value in instance["attributes"].items() if read.get(name) != value]
        if kept.folder.name == VERSION:
            assert lost == []
        assert read["id"] == instance["attributes"]["id"]


@EACH_RELEASE
def test_its_claims_and_records_are_read(kept: Kept) -> None:
    ids = {instance["attributes"]["id"] for instance in kept.instances.values()}
    records = {name: documents.read_record(text) for name, text in kept.records.items()}
    assert records.keys() == {"small", "full"}
    assert all(record.uid in ids and record.is_settled for record in records.values())
    claims = {name: Claim.from_dict(fields) for name, fields in kept.claims.items()}
    claimed = {name: claim.pool for name, claim in claims.items() if claim.is_member}
    assert claimed == {name: cluster for cluster, r in records.items() for name in r.members}
    assert {claim.trust for claim in claims.values()} == {"", "team-a"}


def shape(value: Any) -> Any:
    """The types of the values at each place. Of items that users have named, one stands for all."""
    if isinstance(value, dict):
        named = {name: shape(item) for name, item in value.items()}
        return {"NAME": next(iter(named.values()))} if _by_name(value) else named
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def _by_name(value: dict[str, Any]) -> bool:
    inside = [item for item in value.values() if isinstance(item, dict)]
    return len(inside) == len(value) > 1 and len({tuple(item) for item in inside}) == 1


def test_this_version_has_a_state_that_is_kept_and_still_makes_such_a_one(today: Workspace) -> None:
    advice = (
        f"what today's rpool leaves is not what golden/{VERSION} has: golden/README.md says what "
        "to do; while that version is not out, cd tests && python -m golden.kept"
    )
    kept = Kept(HERE / VERSION)
    assert (kept.folder / "state.json").exists(), advice
    for address, instance in kept.instances.items():
        assert shape(today.state(address)["attributes"]) == shape(instance["attributes"]), advice
    made = machines(today)
    assert shape(list(kept.claims.values())) == shape(list(claims_of(made).values())), advice
    for name, text in records_of(made).items():
        assert shape(json.loads(kept.records[name])) == shape(json.loads(text)), advice


def test_a_kept_state_has_every_attribute_that_can_be_set() -> None:
    """So that a later release's change to any of them shows."""
    instances = Kept(HERE / VERSION).instances
    missing = {
        f"{type_}.{name}"
        for type_, schema in Provider.resource_schemas.items()
        for name in (attribute.name for attribute in schema.root.attributes)
        if all(
            instance["attributes"].get(name) in (None, [], {})
            for address, instance in instances.items()
            if address.startswith(f"{type_}.")
        )
    }
    assert missing == set()
