"""Identities: what a resource is known by for as long as it is there, in the protocol's words.

Terraform and OpenTofu keep one beside the state from 1.12 on, and import by it; older ones pass
over it. It comes from the resource's own values, so whatever a host kept or forgot of it is right.
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
"""Of their shape: counted up when the attributes of one change, for UpgradeResourceIdentity."""


def shape(schema: Schema) -> Object:
    attributes = {its.name: its for its in schema.root.attributes}
    return Object(tuple(attributes[name] for name in schema.identity))


def encode_schema(schema: Schema) -> pb.ResourceIdentitySchema:
    return pb.ResourceIdentitySchema(
        version=VERSION,
        identity_attributes=[
            pb.ResourceIdentitySchema.IdentityAttribute(
                name=its.name,
                type=json.dumps(cty_type(its.type)).encode(),
                description=its.description,
                required_for_import=True,
            )
            for its in shape(schema).attributes
        ],
    )


def fill(answer: pb.ResourceIdentityData, schema: Schema, of: dict[str, Any] | None) -> None:
    """Write the identity of these values into an answer; nothing while it is not known, as before
    a create.
    """
    its = {name: of[name] for name in schema.identity} if of else {}
    if its and all(isinstance(value, str) for value in its.values()):
        answer.identity_data.msgpack = values.encode(shape(schema), its)


def import_id(schema: Schema, identity: pb.ResourceIdentityData) -> str:
    """What `id` would say in an import block in the place of this identity. Raises SpecError."""
    its = values.decode(shape(schema), identity.identity_data.msgpack)
    missing = [name for name in schema.identity if not isinstance(its[name], str) or not its[name]]
    if missing:
        summary = f"the identity to import by has no {' and no '.join(missing)}"
        names = ", ".join(f'{name} = "..."' for name in schema.identity)
        raise SpecError([Problem((), summary, f"It is {{ {names} }}.")])
    return "/".join(its[name] for name in schema.identity)
