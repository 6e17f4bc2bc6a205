"""Mistakes of users, by `bad_inputs.yaml`: each is one error, at its place, in plain words."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol.cluster_calls import Calls
from protocol.site_config import cluster, packed, server, site

ROWS = yaml.safe_load((Path(__file__).parent / "bad_inputs.yaml").read_text())
NODE = {"cluster": "0863513a9c41d07e", "server": "g1"}
NO_PLAIN_WORDS = re.compile(
    r"Input should|validation error|pydantic|Traceback|Error\(|<class|<unicode|object at 0x|None\b|"
    r"\bdict\b|\bstr\b|Unknown\(|\{'|\['"
)


def rows(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", ROWS[kind], ids=lambda row: str(row["set"])[:70])


def changed(good: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    bad = copy.deepcopy(good)
    for place, value in values.items():
        *way, last = (
            place.split(".", 2)
            if place.startswith(("fleet.", "control_plane.endpoint"))
            else place.split(".", 1)
        )
        inner = bad
        for step in way:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return bad


def assert_one_plain_error(reply: Any, row: dict[str, Any]) -> None:
    (error,) = (d for d in reply.diagnostics if d.severity == d.ERROR)
    steps = [s.attribute_name or s.element_key_string for s in error.attribute.steps]
    text = f"{error.summary}\n{error.detail}"
    assert row["says"] in text
    assert not NO_PLAIN_WORDS.search(text), text
    assert len(error.summary) < 250, text
    outermost = row["at"].split(".")
    assert steps[: len(outermost)] == outermost


def no_errors(reply: Any) -> bool:
    return not [d for d in reply.diagnostics if d.severity == d.ERROR]


@rows("cluster")
def test_a_mistake_in_a_cluster(shared: Calls, row: dict[str, Any]) -> None:
    config = changed(cluster(), row["set"])
    reply = shared.validate(config)
    if row.get("when") == "plan":
        assert no_errors(reply)
        reply = shared.plan(config)
    assert_one_plain_error(reply, row)


@rows("site")
def test_a_mistake_in_a_provider_block(shared: Calls, row: dict[str, Any]) -> None:
    config = packed(shared.site_schema, changed(site(), row["set"]))
    assert_one_plain_error(shared.plugin.call("ValidateProviderConfig", config=config), row)


@rows("node")
def test_a_mistake_in_a_node(shared: Calls, row: dict[str, Any]) -> None:
    fleet = site()["fleet"] | {"g1": server(20, reserved=True)}
    shared.plugin.call(
        "ConfigureProvider", config=packed(shared.site_schema, site() | {"fleet": fleet})
    )
    schema = shared.plugin.call("GetProviderSchema").resource_schemas["rpool_node"]
    config = packed(schema, NODE | row["set"])
    reply = shared.plugin.call("ValidateResourceConfig", type_name="rpool_node", config=config)
    if row.get("when") == "plan":
        assert no_errors(reply)
        reply = shared.plugin.call(
            "PlanResourceChange",
            type_name="rpool_node",
            prior_state=packed(schema, None),
            proposed_new_state=config,
            config=config,
        )
    assert_one_plain_error(reply, row)


def test_there_are_a_hundred_of_them() -> None:
    assert sum(map(len, ROWS.values())) >= 100


def test_what_is_wrong_hides_nothing_else(shared: Calls) -> None:
    bad = changed(
        cluster(cores=0, name="No", tolerate={"servers": 1, "zones": 1}),
        {
            "control_plane.servers": 2,
            "networking.service_cidr": "10.244.0.0/16",
            "timeouts.create": "x",
        },
    )
    attributes = {d.attribute.steps[0].attribute_name for d in shared.validate(bad).diagnostics}
    assert attributes == {"cores", "name", "tolerate", "control_plane", "networking", "timeouts"}


def test_a_bad_key_hides_no_mistake_in_the_fleet(shared: Calls) -> None:
    bad = changed(site(30), {"ssh.private_key": "x", "fleet.s1.cores": 0, "fleet.s3.address": "x"})
    for name, entry in bad["fleet"].items():
        if name not in ("s1", "s2", "s3"):
            del entry["host_key"]
    bad["fleet"]["s5"]["address"] = bad["fleet"]["s4"]["address"]
    config = packed(shared.site_schema, bad)
    diagnostics = shared.plugin.call("ValidateProviderConfig", config=config).diagnostics
    summaries = [d.summary for d in diagnostics]
    assert len(summaries) == 5, summaries
    (keys,) = (d for d in diagnostics if "host_key is missing" in d.summary)
    assert keys.summary.endswith(", 20 more")
    assert "ssh-keyscan -t ed25519 10.0.0." in keys.detail
