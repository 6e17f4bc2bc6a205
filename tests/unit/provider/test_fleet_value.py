"""The fleet as users write it: each key is seen, and what is no setting of a server is an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from rpool.errors import Bug
from rpool_provider.fleet_json_schema import fleet_json_schema
from rpool_provider.provider import Provider
from rpool_provider.site_schema import FLEET, SITE
from rpool_provider.wire import values
from rpool_provider.wire.dynamic import converted
from rpool_provider.wire.unknown import UNKNOWN, Unknown

NOT_KNOWN = msgpack.ExtType(0, b"\x00")
R1 = {"address": "10.0.1.1", "cores": 4, "memory": 16, "zone": "rack1"}


def typed(value: Any) -> tuple[Any, Any]:
    """A value's type in cty's JSON, and the value, as Terraform sends them."""
    match value:
        case None | msgpack.ExtType():
            return "dynamic", value
        case bool() | str():
            return "bool" if isinstance(value, bool) else "string", value
        case int() | float():
            return "number", value
        case list():
            pairs = [typed(item) for item in value]
            return ["tuple", [t for t, _ in pairs]], [v for _, v in pairs]
    items = {key: typed(item) for key, item in value.items()}
    return ["object", {k: t for k, (t, _) in items.items()}], {k: v for k, (_, v) in items.items()}


def config(fleet: Any) -> dict[str, Any]:
    type_, value = typed(fleet)
    sent = value if isinstance(value, msgpack.ExtType) else [json.dumps(type_).encode(), value]
    simulated = {"servers": None}
    nothing = dict.fromkeys(attribute.name for attribute in SITE.root.attributes)
    packed = msgpack.packb(nothing | {"fleet": sent, "simulate": simulated})
    decoded: dict[str, Any] = values.decode(SITE.root, packed)
    return decoded


def errors(fleet: Any) -> list[tuple[tuple[str | int, ...], str, str]]:
    diagnostics = Provider().validate(config(fleet))
    return [(diagnostic.path, diagnostic.summary, diagnostic.detail) for diagnostic in diagnostics]


@pytest.mark.parametrize(
    ("changes", "key", "says", "hint"),
    [
        ({"retired": True}, "retired", "is not a setting", "Did you mean retire?"),
        ({"reserve": True}, "reserve", "is not a setting", "Did you mean reserved?"),
        ({"colour": "red"}, "colour", "is not a setting", "A server has: address, cores, memory"),
        ({"cores": "many"}, "cores", "must be a whole number", ""),
        ({"cores": "4.5"}, "cores", "must be a whole number", ""),
        ({"lost": "yes"}, "lost", "must be true or false", ""),
        ({"labels": ["ssd"]}, "labels", "must be a map", ""),
        ({"address": {"ip": "x"}}, "address", "must be a string", ""),
        ({"zone": None}, "zone", "is required", ""),
    ],
)
def test_what_a_server_cannot_mean_is_told_with_its_name(
    changes: dict[str, Any], key: str, says: str, hint: str
) -> None:
    ((path, summary, detail),) = errors({"r1": R1 | changes})
    assert path == ("fleet", "r1", key)
    assert summary == f"fleet.r1.{key} {says}"
    assert hint in detail


@pytest.mark.parametrize("fleet", ["fleet.yaml", [R1], 7, True])
def test_what_is_no_map_is_told_how_to_become_one(fleet: Any) -> None:
    ((path, summary, detail),) = errors(fleet)
    assert (path, summary) == (("fleet",), "fleet must be a map")
    assert 'yamldecode(file("fleet.yaml"))' in detail


def test_a_server_that_is_null_is_an_error_and_a_setting_that_is_null_is_not_set() -> None:
    ((path, summary, _),) = errors({"r1": R1, "r2": None})
    assert path == ("fleet", "r2")
    assert "it is null" in summary
    assert errors({"r1": R1 | {"host_key": None, "labels": None, "retire": None}}) == []


def test_texts_are_converted_as_in_an_attribute_with_a_type() -> None:
    """As they come from csvdecode, say; and what YAML takes for a number or a boolean."""
    provider = Provider()
    odd = {"cores": "4", "memory": "16", "zone": 1, "labels": {"a": 7, "b": True, "c": 0.5}}
    provider.configure(config({"r1": R1 | odd | {"reserved": "true"}}))
    assert provider.site is not None
    server = provider.site.config.fleet.servers["r1"]
    assert (server.cores, server.memory_gib, server.zone, server.reserved) == (4, 16, "1", True)
    assert server.labels == {"a": "7", "b": "true", "c": "0.5"}


@pytest.mark.parametrize(
    "fleet", [NOT_KNOWN, {"r1": NOT_KNOWN}, {"r1": R1 | {"address": NOT_KNOWN}}], ids=str
)
def test_a_fleet_that_is_not_all_known_yet_is_no_error_and_no_site(fleet: Any) -> None:
    provider = Provider()
    assert provider.validate(config(fleet)) == []
    provider.configure(config(fleet))
    assert provider.site is None


def test_what_is_known_of_a_fleet_is_checked_even_so() -> None:
    ((path, _, _),) = errors({"r1": NOT_KNOWN, "r2": R1 | {"cores": 0}})
    assert path == ("fleet", "r2", "cores")


def test_collections_with_a_type_of_their_own_are_read_alike() -> None:
    type_ = ["map", ["object", {"zones": ["set", "string"], "any": "dynamic"}, ["any"]]]
    sent = {"a": {"zones": ["x"], "any": [b'"number"', "12"]}, "b": None}
    packed = msgpack.packb([json.dumps(type_).encode(), sent])
    decoded = values.decode(SITE.root.attributes[0].type, packed)
    assert decoded == {"a": {"zones": ["x"], "any": 12}, "b": None}
    with pytest.raises(Bug):
        values.decode(SITE.root.attributes[0].type, msgpack.packb("bare"))


def test_an_unknown_value_stays_one() -> None:
    assert converted(FLEET, {"r1": {"cores": UNKNOWN, "zone": UNKNOWN}}) == {
        "r1": {"cores": UNKNOWN, "zone": UNKNOWN}
    }
    assert isinstance(converted(FLEET, UNKNOWN), Unknown)


def test_the_schema_for_editors_is_that_of_the_provider() -> None:
    """docs/fleet.schema.json is made by `make generate`."""
    shipped = Path(__file__).parent.parent.parent.parent / "docs" / "fleet.schema.json"
    assert json.loads(shipped.read_text()) == fleet_json_schema()
    server = fleet_json_schema()["additionalProperties"]
    assert server["additionalProperties"] is False
    assert R1.keys() <= server["properties"].keys()
    assert server["required"] == list(R1)
