"""Attributes that only the provider sets, found in a configuration.

Terraform leaves this check to providers. Without it such a value passes validate and plan, and once
the servers are changed Terraform finds that the result is not what was configured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rpool.errors import Path
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.schema import List, Map, Object, Set, Type


def errors(root: Object, config: dict[str, Any]) -> list[Diagnostic]:
    """One error for each attribute that is set, to an unknown value too, and may not be."""
    return [
        Diagnostic(
            f"{'.'.join(map(str, path))} is set by the provider; remove it",
            "Other parts of the configuration can refer to its value. Nobody can choose it.",
            path,
        )
        for path in _set(root, config, ())
    ]


def _set(type_: Type, value: Any, at: Path) -> Iterator[Path]:
    """Paths of what is set though it is not configurable; the inside of those is not looked at."""
    match type_:
        case Object(attributes) if isinstance(value, dict):
            for attribute in attributes:
                its, path = value[attribute.name], (*at, attribute.name)
                if attribute.configurable:
                    yield from _set(attribute.type, its, path)
                elif its is not None:
                    yield path
        case Map(element) if isinstance(value, dict):
            for key, item in value.items():
                yield from _set(element, item, (*at, key))
        case List(element) | Set(element) if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _set(element, item, (*at, index))
