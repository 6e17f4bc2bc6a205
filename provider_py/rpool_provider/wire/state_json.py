"""State as the state file has it: JSON, perhaps written by an older version of a schema."""

from __future__ import annotations

import json
from typing import Any

from rpool_provider.schema import List, Map, Object, Set, Type


def read(data: bytes) -> Any:
    """The JSON as Python values; numbers that are not whole become Decimal."""
    from decimal import Decimal

    return json.loads(data, parse_float=Decimal)


def conform(type_: Type, value: Any) -> Any:
    """An older value in the current shape: removed attributes are dropped, new ones are null."""
    if value is None:
        return None
    match type_:
        case Object(attributes):
            return {a.name: conform(a.type, value.get(a.name)) for a in attributes}
        case List(element) | Set(element):
            return [conform(element, item) for item in value]
        case Map(element):
            return {key: conform(element, item) for key, item in value.items()}
        case _:
            return value
