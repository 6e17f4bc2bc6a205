"""The schema as data, and what Terraform would refuse in it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rpool.errors import Bug
from rpool_provider.resources.cluster_data_schema import CLUSTER_DATA
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.fleet_data_schema import FLEET_DATA
from rpool_provider.schema import (
    STRING,
    Attribute,
    List,
    Map,
    Object,
    Schema,
    Set,
    Type,
    optional,
    required,
)
from rpool_provider.site_schema import SITE
from rpool_provider.wire import schemas
from rpool_provider.wire.gen import tfplugin6_pb2 as pb


def attributes(type_: Type, at: str = "") -> Iterator[tuple[str, Attribute]]:
    match type_:
        case Object(own):
            for attribute in own:
                name = f"{at}.{attribute.name}".lstrip(".")
                yield name, attribute
                yield from attributes(attribute.type, name)
        case List(element) | Set(element) | Map(element):
            yield from attributes(element, at)


ALL = [
    pytest.param(attribute, id=f"{where}:{name}")
    for where, schema in (
        ("provider", SITE),
        ("rpool_cluster", CLUSTER),
        ("data.rpool_cluster", CLUSTER_DATA),
        ("data.rpool_fleet", FLEET_DATA),
    )
    for name, attribute in attributes(schema.root)
]


@pytest.mark.parametrize("attribute", ALL)
def test_every_attribute_is_set_by_somebody_and_described(attribute: Attribute) -> None:
    assert attribute.required + (attribute.optional or attribute.computed) == 1
    assert attribute.description.endswith(".")


@pytest.mark.parametrize("attribute", ALL)
def test_a_default_is_known_to_terraform_as_computed(attribute: Attribute) -> None:
    assert attribute.default is None or (attribute.optional and attribute.computed)


def test_the_provider_block_computes_nothing() -> None:
    assert not any(attribute.computed for _, attribute in attributes(SITE.root))


def test_nested_attributes_carry_their_nesting() -> None:
    point = Object((required("x", STRING, "X."),))
    root = Object(
        (
            optional("one", point, ""),
            optional("many", List(point), ""),
            optional("some", Set(point), ""),
            optional("named", Map(point), ""),
        )
    )
    encoded = schemas.encode(Schema(root, "")).block.attributes
    modes = pb.Schema.Object.NestingMode
    assert [a.nested_type.nesting for a in encoded] == [
        modes.SINGLE,
        modes.LIST,
        modes.SET,
        modes.MAP,
    ]
    assert all(a.type == b"" and a.nested_type.attributes[0].name == "x" for a in encoded)


def test_plain_types_are_written_as_terraform_reads_them() -> None:
    root = Object((optional("p", Map(List(STRING)), ""), optional("s", Set(STRING), "")))
    encoded = schemas.encode(Schema(root, "")).block.attributes
    assert [json.loads(a.type) for a in encoded] == [["map", ["list", "string"]], ["set", "string"]]


def test_objects_deeper_than_one_collection_are_refused() -> None:
    with pytest.raises(Bug):
        schemas.encode(Schema(Object((optional("a", Map(List(Object(()))), ""),)), ""))
