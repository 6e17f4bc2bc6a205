"""`python -m rpool_provider.fleet_json_schema`: the fleet's schema for editors, in JSON Schema.

`make generate` writes it to docs/fleet.schema.json. An editor that uses it marks what
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
                    a.name: {"description": a.description, **_schema(a.type)} for a in attributes
                },
                "required": [a.name for a in attributes if a.required],
                "additionalProperties": False,
            }
        case Primitive.BOOL:
            return {"type": "boolean"}
        case _:
            assert isinstance(type_, Primitive)  # noqa: S101 a server has nothing else
            return {"type": type_.value}


if __name__ == "__main__":
    print(json.dumps(fleet_json_schema(), indent=2))
