"""Our schema, as data, in the protocol's words."""

from __future__ import annotations

import json
from typing import Any

from rpool.errors import Bug
from rpool_provider.schema import Attribute, List, Map, Object, Primitive, Schema, Set, Type
from rpool_provider.wire.gen import tfplugin6_pb2 as pb

_Nesting = pb.Schema.Object.NestingMode


def encode(schema: Schema) -> pb.Schema:
    block = pb.Schema.Block(
        version=schema.version,
        attributes=[_attribute(attribute) for attribute in schema.root.attributes],
        description=schema.description,
        description_kind=pb.MARKDOWN,
    )
    return pb.Schema(version=schema.version, block=block)


def _attribute(attribute: Attribute) -> pb.Schema.Attribute:
    message = pb.Schema.Attribute(
        name=attribute.name,
        description=attribute.description,
        description_kind=pb.MARKDOWN,
        required=attribute.required,
        optional=attribute.optional,
        computed=attribute.computed,
        sensitive=attribute.sensitive,
    )
    nested = _nested(attribute.type)
    if nested is not None:
        message.nested_type.CopyFrom(nested)
    else:
        message.type = json.dumps(_type(attribute.type)).encode()
    return message


def _nested(type_: Type) -> pb.Schema.Object | None:
    match type_:
        case Object(attributes):
            nesting = _Nesting.SINGLE
        case Map(Object(attributes)):
            nesting = _Nesting.MAP
        case List(Object(attributes)):
            nesting = _Nesting.LIST
        case Set(Object(attributes)):
            nesting = _Nesting.SET
        case _:
            return None
    return pb.Schema.Object(attributes=[_attribute(a) for a in attributes], nesting=nesting)


def _type(type_: Type) -> Any:
    """A type in cty's JSON: `"string"`, `["map", "string"]`."""
    match type_:
        case Primitive():
            return type_.value
        case List(element):
            return ["list", _type(element)]
        case Set(element):
            return ["set", _type(element)]
        case Map(element):
            return ["map", _type(element)]
        case Object():
            raise Bug("nested attributes may only be an object, or a list, set or map of objects")
