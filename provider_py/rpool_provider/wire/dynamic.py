"""Values of dynamic type: each with its own type beside it, in cty's JSON.

Such a value comes as it was written. `converted` does what Terraform does with a value whose type
is declared (the text "16" becomes the number 16).
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgpack

from rpool.errors import Bug
from rpool_provider.schema import BOOL, NUMBER, STRING, List, Map, Object, Primitive, Set, Type
from rpool_provider.wire import numbers
from rpool_provider.wire.unknown import Unknown

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def decoded(raw: Any) -> Any:
    """The value of a pair from the wire: the JSON of its type, and the value."""
    if not isinstance(raw, list) or len(raw) != 2:
        raise Bug("a value of dynamic type came without its type")
    return _decoded(json.loads(raw[0]), raw[1])


def _decoded(type_: Any, value: Any) -> Any:
    if value is None or isinstance(value, Unknown):
        return value
    match type_:
        case "dynamic":
            return decoded(value)
        case "number":
            return numbers.read(value)
        case ["list" | "set", element]:
            return [_decoded(element, item) for item in value]
        case ["tuple", elements]:
            pairs = zip(elements, value, strict=True)
            return [_decoded(element, item) for element, item in pairs]
        case ["map", element]:
            return {key: _decoded(element, item) for key, item in value.items()}
        case ["object", attributes, *_]:
            return {key: _decoded(attributes[key], item) for key, item in value.items()}
        case _:
            return value


def encode(value: Any) -> bytes:
    """A value with its type beside it: text, whole numbers and booleans, lists and objects."""
    packed: bytes = msgpack.packb([json.dumps(_type_of(value)).encode(), value])
    return packed


def _type_of(value: Any) -> Any:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case None:
            return "dynamic"
        case dict():
            return ["object", {key: _type_of(item) for key, item in value.items()}]
        case list() | tuple():
            return ["tuple", [_type_of(item) for item in value]]
        case _:
            raise Bug(f"{type(value).__name__} is not a Terraform value")


def converted(type_: Type, value: Any) -> Any:
    """`value` as an attribute of that type would have it. What cannot be converted, and what the
    type lacks, stays as it is: the checks of the value report it.
    """
    match type_, value:
        case (Primitive(), _):
            return _primitive(type_, value)
        case (Map(element), dict()):
            return {key: converted(element, item) for key, item in value.items()}
        case (List(element) | Set(element), list()):
            return [converted(element, item) for item in value]
        case (Object(attributes), dict()):
            types: dict[str, Type] = {a.name: a.type for a in attributes}
            return {
                key: converted(types[key], item) if key in types else item
                for key, item in value.items()
            }
        case _:
            return value


def _primitive(type_: Primitive, value: Any) -> Any:
    if type_ is STRING and isinstance(value, bool):
        return str(value).lower()
    if type_ is STRING and not isinstance(value, str | dict | list | Unknown | None):
        return str(value)  # a number's
    if type_ is BOOL and value in ("true", "false"):
        return value == "true"
    if type_ is NUMBER and isinstance(value, str) and _NUMBER.fullmatch(value):
        return numbers.from_text(value)
    return value
