"""Attributes that only the provider sets, found in a configuration.

Terraform leaves this check to providers. Without it such a value passes validate and plan, and only
after the servers are changed does Terraform find that the result is not what was configured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rpool.errors import Path
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.schema import List, Map, Object, Set, Type


def errors(root: Object, config: dict[str, Any]) -> list[Diagnostic]:
    """One error for each attribute that may not be set and is, even to an unknown value."""
    return [
        Diagnostic(
            f"{'.'.join(map(str, path))} is set by the provider; remove it",
            "Its value can be referred to, but not set.",
            path,
        )
        for path in _set(root, config, ())
    ]


def _set(type_: Type, value: Any, at: Path) -> Iterator[Path]:
    """Paths of attributes that are set and not configurable; their inside is not checked."""
    match type_:
        case Object(attributes) if isinstance(value, dict):
            for attribute in attributes:
                attribute_value, path = value[attribute.name], (*at, attribute.name)
                if attribute.configurable:
                    yield from _set(attribute.type, attribute_value, path)
                elif attribute_value is not None:
                    yield path
        case Map(element) if isinstance(value, dict):
            for key, item in value.items():
                yield from _set(element, item, (*at, key))
        case List(element) | Set(element) if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _set(element, item, (*at, index))
