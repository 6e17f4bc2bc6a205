"""The schema as data, and what Terraform would refuse in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rpool.errors import Bug
from rpool_provider.resources.cluster_data_schema import CLUSTER_DATA
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.fleet_data_schema import FLEET_DATA
from rpool_provider.resources.kubeconfig_schema import KUBECONFIG
from rpool_provider.schema import (
    STRING,
    Attribute,
    List,
    Map,
    Object,
    Schema,
    Set,
    Type,
    computed,
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
        ("ephemeral.rpool_kubeconfig", KUBECONFIG),
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


POINT = Object((required("x", STRING, "X."),))


def test_what_users_write_is_a_block_so_that_terraform_refuses_what_is_not_in_it() -> None:
    root = Object(
        (
            required("one", POINT, ""),
            optional("always", replace(POINT, always=True), ""),
            optional("many", List(POINT), ""),
            optional("some", Set(POINT), ""),
            optional("named", Map(POINT), ""),
        )
    )
    encoded = schemas.encode(Schema(root, "")).block
    modes = pb.Schema.NestedBlock.NestingMode
    assert not encoded.attributes
    assert [
        (nested.nesting, nested.min_items, nested.max_items) for nested in encoded.block_types
    ] == [
        (modes.SINGLE, 1, 1),
        (modes.GROUP, 0, 0),
        (modes.LIST, 0, 0),
        (modes.SET, 0, 0),
        (modes.MAP, 0, 0),
    ]
    assert all(nested.block.attributes[0].name == "x" for nested in encoded.block_types)


def test_what_we_alone_set_is_nested_attributes() -> None:
    root = Object(
        (
            computed("one", POINT, ""),
            computed("many", List(POINT), ""),
            computed("some", Set(POINT), ""),
            computed("named", Map(POINT), ""),
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
        schemas.encode(Schema(Object((computed("a", Map(List(Object(()))), ""),)), ""))
