"""The provider's schema as protobuf messages."""

from __future__ import annotations

import json
from typing import Any

from rpool.errors import Bug
from rpool_provider.schema import (
    Attribute,
    Dynamic,
    List,
    Map,
    Object,
    Primitive,
    Schema,
    Set,
    Type,
)
from rpool_provider.wire.gen import tfplugin6_pb2 as pb

_Nesting = pb.Schema.Object.NestingMode
_Blocks = pb.Schema.NestedBlock.NestingMode


def encode(schema: Schema) -> pb.Schema:
    block = _block(schema.root, schema.description)
    block.version = schema.version
    return pb.Schema(version=schema.version, block=block)


def _block(block: Object, description: str) -> pb.Schema.Block:
    return pb.Schema.Block(
        description=description,
        attributes=[_attribute(a) for a in block.attributes if a.block is None],
        block_types=[_nested_block(a, a.block) for a in block.attributes if a.block is not None],
        description_kind=pb.MARKDOWN,
    )


def _nested_block(attribute: Attribute, block: Object) -> pb.Schema.NestedBlock:
    count = int(attribute.required)
    return pb.Schema.NestedBlock(
        type_name=attribute.name,
        block=_block(block, attribute.description),
        nesting=_block_nesting(attribute.type),
        min_items=count,
        max_items=count,
    )


def _block_nesting(type_: Type) -> pb.Schema.NestedBlock.NestingMode:
    if isinstance(type_, Object):
        return _Blocks.GROUP if type_.always else _Blocks.SINGLE
    return {List: _Blocks.LIST, Set: _Blocks.SET, Map: _Blocks.MAP}[type(type_)]


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
        message.type = json.dumps(cty_type(attribute.type)).encode()
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


def cty_type(type_: Type) -> Any:
    """A type in cty's JSON: `"string"`, `["map", "string"]`."""
    match type_:
        case Primitive() | Dynamic():
            return type_.value
        case List(element):
            return ["list", cty_type(element)]
        case Set(element):
            return ["set", cty_type(element)]
        case Map(element):
            return ["map", cty_type(element)]
        case Object():
            raise Bug("nested attributes may only be an object, or a list, set or map of objects")
