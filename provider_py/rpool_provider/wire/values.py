"""Terraform's values (msgpack, in cty's dialect) as Python values, and back.

    string, bool   str, bool
    number         int; float or Decimal when it is not whole
    list, set      list
    map, object    dict
    null           None
    unknown        Unknown
    dynamic        the value itself, by its own type

A value that does not have its type raises a `Malformed`, which names the place and never the value.
"""

from __future__ import annotations

from typing import Any

import msgpack

from rpool.errors import Bug, Path
from rpool_provider.schema import Dynamic, List, Map, Object, Primitive, Set, Type
from rpool_provider.wire import dynamic, numbers
from rpool_provider.wire.unknown import Unknown

_PLAIN_UNKNOWN = msgpack.ExtType(0, b"\x00")
_REFINED = 12


class Malformed(Bug):
    """A value does not have the type that the schema gives it."""

    def __init__(self, path: Path, expected: str, found: Any) -> None:
        where = ".".join(str(step) for step in path) or "the value"
        super().__init__(f"{where} should be {expected} and is {type(found).__name__}")


def decode(type_: Type, data: bytes) -> Any:
    raw = msgpack.unpackb(data, ext_hook=_unknown, strict_map_key=False)
    return _convert(type_, raw, numbers.read, ())


def encode(type_: Type, value: Any) -> bytes:
    packed: bytes = msgpack.packb(_convert(type_, value, numbers.written, ()), default=_ext)
    return packed


def _unknown(code: int, data: bytes) -> Unknown:
    """Every extension is an unknown value; code 12 carries refinements."""
    return Unknown(data if code == _REFINED else b"")


def _ext(value: Any) -> msgpack.ExtType:
    if not isinstance(value, Unknown):
        raise TypeError(f"{type(value).__name__} is not a Terraform value")
    return msgpack.ExtType(_REFINED, value.refinements) if value.refinements else _PLAIN_UNKNOWN


def _convert(type_: Type, value: Any, number: Any, path: Path) -> Any:
    """Check a value against its type and convert the numbers in it."""
    if value is None or isinstance(value, Unknown):
        return value
    match type_:
        case Dynamic():
            return dynamic.decoded(value)  # only configurations have these, and none is sent back
        case Primitive():
            return _primitive(type_, value, number, path)
        case List(element) | Set(element):
            if not isinstance(value, list | tuple):
                raise Malformed(path, "a list", value)
            return [_convert(element, v, number, (*path, i)) for i, v in enumerate(value)]
        case Map(element):
            if not isinstance(value, dict):
                raise Malformed(path, "a map", value)
            return {key: _convert(element, v, number, (*path, key)) for key, v in value.items()}
        case Object(attributes):
            names = [attribute.name for attribute in attributes]
            if not isinstance(value, dict) or value.keys() != set(names):
                raise Malformed(path, f"an object with {', '.join(names)}", value)
            return {
                a.name: _convert(a.type, value[a.name], number, (*path, a.name)) for a in attributes
            }


def _primitive(type_: Primitive, value: Any, number: Any, path: Path) -> Any:
    if type_ is Primitive.NUMBER:
        try:
            return number(value)
        except (TypeError, ValueError, ArithmeticError):
            raise Malformed(path, "a number", value) from None
    if not isinstance(value, str if type_ is Primitive.STRING else bool):
        raise Malformed(path, f"a {type_.value}", value)
    return value
