"""`python -m rpool_provider.fleet_json_schema`: the fleet's schema for editors, in JSON Schema.

It is in docs/fleet.schema.json, made by `make generate`. An editor that knows it marks what
`terraform validate` would refuse.
"""

from __future__ import annotations

import json
from typing import Any

from rpool_provider.schema import Map, Object, Primitive, Type
from rpool_provider.site_schema import FLEET


def fleet_json_schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The fleet of an rpool site: its servers by name",
        **_schema(FLEET),
    }


def _schema(type_: Type) -> dict[str, Any]:
    match type_:
        case Map(element):
            return {"type": "object", "additionalProperties": _schema(element)}
        case Object(attributes):
            return {
                "type": "object",
                "properties": {
                    its.name: {"description": its.description, **_schema(its.type)}
                    for its in attributes
                },
                "required": [its.name for its in attributes if its.required],
                "additionalProperties": False,
            }
        case Primitive.BOOL:
            return {"type": "boolean"}
        case _:
            assert isinstance(type_, Primitive)  # noqa: S101 a server has nothing else
            return {"type": type_.value}


if __name__ == "__main__":
    print(json.dumps(fleet_json_schema(), indent=2))
