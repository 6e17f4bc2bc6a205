"""What only the provider sets is refused in a configuration, by the schema alone."""

from __future__ import annotations

from typing import Any

import pytest

from rpool_provider.resources.cluster_data_schema import CLUSTER_DATA
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.fleet_data_schema import FLEET_DATA
from rpool_provider.resources.node_schema import NODE
from rpool_provider.schema import STRING, List, Map, Object, Schema, Set, computed, optional
from rpool_provider.site_schema import SITE
from rpool_provider.unconfigurable import errors
from rpool_provider.wire.unknown import UNKNOWN

POINT = Object((optional("name", STRING, ""), computed("told", STRING, "")))
NESTED = Object(
    (
        optional("one", POINT, ""),
        optional("many", List(POINT), ""),
        optional("some", Set(POINT), ""),
        optional("named", Map(POINT), ""),
        computed("all", Map(POINT), ""),
    )
)


def blank(root: Object, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(attribute.name for attribute in root.attributes) | values


ONLY_COMPUTED = [
    pytest.param(schema, attribute.name, id=f"{where}:{attribute.name}")
    for where, schema in (
        ("rpool_cluster", CLUSTER),
        ("rpool_node", NODE),
        ("data.rpool_cluster", CLUSTER_DATA),
        ("data.rpool_fleet", FLEET_DATA),
    )
    for attribute in schema.root.attributes
    if not attribute.required and not attribute.optional
]


@pytest.mark.parametrize("value", ["", "x", 0, False, {}, UNKNOWN])
@pytest.mark.parametrize(("schema", "name"), ONLY_COMPUTED)
def test_an_attribute_that_only_the_provider_sets_is_refused_whatever_it_is_set_to(
    schema: Schema, name: str, value: Any
) -> None:
    (error,) = errors(schema.root, blank(schema.root, **{name: value}))
    assert error.path == (name,)
    assert error.is_error
    assert error.summary == f"{name} is set by the provider; remove it"


@pytest.mark.parametrize("schema", [CLUSTER, NODE, CLUSTER_DATA, FLEET_DATA, SITE])
def test_what_is_null_or_for_users_to_set_is_not_refused(schema: Schema) -> None:
    given = {a.name: UNKNOWN for a in schema.root.attributes if a.required or a.optional}
    assert errors(schema.root, blank(schema.root)) == []
    assert errors(schema.root, blank(schema.root, **given)) == []


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"one": {"name": None, "told": "x"}}, ("one", "told")),
        ({"many": [{"name": "a", "told": UNKNOWN}]}, ("many", 0, "told")),
        ({"some": [{"name": "a", "told": "x"}]}, ("some", 0, "told")),
        ({"named": {"k": {"name": "a", "told": "x"}}}, ("named", "k", "told")),
        ({"all": {"k": {"name": None, "told": "x"}}}, ("all",)),
    ],
)
def test_nested_attributes_are_looked_at_too(values: dict[str, Any], path: tuple[Any, ...]) -> None:
    (error,) = errors(NESTED, blank(NESTED, **values))
    assert error.path == path
    assert error.summary.startswith(".".join(map(str, path)))
