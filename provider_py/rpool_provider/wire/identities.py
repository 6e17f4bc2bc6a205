"""Identities as protobuf messages: what identifies a resource as long as it exists.

Terraform and OpenTofu keep one beside the state from 1.12 on, and import by it; older versions
ignore it. It is computed from the resource's values, so the host's copy does not matter.
"""

from __future__ import annotations

import json
from typing import Any

from rpool.errors import Problem, SpecError
from rpool_provider.schema import Object, Schema
from rpool_provider.wire import values
from rpool_provider.wire.gen import tfplugin6_pb2 as pb
from rpool_provider.wire.schemas import cty_type

VERSION = 0
"""The version of their shape: raised when attributes change, for UpgradeResourceIdentity."""


def shape(schema: Schema) -> Object:
    attributes = {attribute.name: attribute for attribute in schema.root.attributes}
    return Object(tuple(attributes[name] for name in schema.identity))


def encode_schema(schema: Schema) -> pb.ResourceIdentitySchema:
    return pb.ResourceIdentitySchema(
        version=VERSION,
        identity_attributes=[
            pb.ResourceIdentitySchema.IdentityAttribute(
                name=attribute.name,
                type=json.dumps(cty_type(attribute.type)).encode(),
                description=attribute.description,
                required_for_import=True,
            )
            for attribute in shape(schema).attributes
        ],
    )


def fill(answer: pb.ResourceIdentityData, schema: Schema, of: dict[str, Any] | None) -> None:
    """Writes the identity of these values into an answer; nothing while it is not known, as before
    a create.
    """
    identity = {name: of[name] for name in schema.identity} if of else {}
    if identity and all(isinstance(value, str) for value in identity.values()):
        answer.identity_data.msgpack = values.encode(shape(schema), identity)


def import_id(schema: Schema, identity: pb.ResourceIdentityData) -> str:
    """The `id` of an import block that means this identity. Raises SpecError."""
    decoded = values.decode(shape(schema), identity.identity_data.msgpack)
    missing = [
        name for name in schema.identity if not isinstance(decoded[name], str) or not decoded[name]
    ]
    if missing:
        summary = f"the import identity has no {' and no '.join(missing)}"
        names = ", ".join(f'{name} = "..."' for name in schema.identity)
        raise SpecError([Problem((), summary, f"It is {{ {names} }}.")])
    return "/".join(decoded[name] for name in schema.identity)
