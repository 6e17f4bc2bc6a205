"""Configurations for these tests, as values for the wire and as HCL for Terraform."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgpack

PRIVATE_KEY = (
    "-----BEGIN EC PRIVATE KEY-----\n"
    + base64.b64encode(b"canary-of-the-private-key" * 3).decode()
    + "\n-----END EC PRIVATE KEY-----\n"
)


def host_key(number: int) -> str:
    kind = b"ssh-ed25519"
    blob = len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big")
    return f"ssh-ed25519 {base64.b64encode(blob + number.to_bytes(32, 'big')).decode()}"


def server(number: int, **more: Any) -> dict[str, Any]:
    return {
        "address": f"10.0.{number // 250}.{number % 250 + 1}",
        "cores": 8,
        "memory": 32,
        "zone": f"rack{number % 3 + 1}",
        "host_key": host_key(number),
        **more,
    }


def site(servers: int = 6) -> dict[str, Any]:
    return {
        "fleet": {f"s{number}": server(number) for number in range(1, servers + 1)},
        "ssh": {"private_key": PRIVATE_KEY},
    }


def cluster(**more: Any) -> dict[str, Any]:
    return {
        "name": "batch",
        "kubernetes_version": "1.36.3",
        "cores": 16,
        "memory": 64,
        "control_plane": {"servers": 3, "endpoint": {"vip": "10.0.0.200"}},
        **more,
    }


def complete(block: Any, values: dict[str, Any] | None) -> Any:
    """Every attribute and block of a protobuf schema, null where `values` has none: as the host
    sends it.
    """
    if not isinstance(values, dict):
        return values
    attributes = {a.name: _complete(a, values.get(a.name)) for a in block.attributes}
    blocks = {b.type_name: _nested(b, values.get(b.type_name)) for b in block.block_types}
    return attributes | blocks


def _nested(nested: Any, value: Any) -> Any:
    if nested.nesting == nested.SET:
        return [complete(nested.block, item) for item in value or []]
    if nested.nesting == nested.MAP and isinstance(value, dict | None):
        return {key: complete(nested.block, item) for key, item in (value or {}).items()}
    if nested.nesting == nested.GROUP and value is None:
        value = {}
    return complete(nested.block, value)


def _complete(attribute: Any, value: Any) -> Any:
    if attribute.type == b'"dynamic"' and not isinstance(value, msgpack.ExtType | None):
        type_, plain = _dynamic(value)
        return [json.dumps(type_).encode(), plain]
    nested = attribute.nested_type
    if not nested.attributes:
        return value
    if nested.nesting == nested.MAP and isinstance(value, dict):
        return {
            key: {a.name: _complete(a, item.get(a.name)) for a in nested.attributes}
            for key, item in value.items()
        }
    return value


def _dynamic(value: Any) -> tuple[Any, Any]:
    """The type of a value of dynamic type, in cty's JSON, and the value as it is sent."""
    match value:
        case None | msgpack.ExtType():
            return "dynamic", value
        case bool() | str():
            return "bool" if isinstance(value, bool) else "string", value
        case int() | float():
            return "number", value
        case list():
            pairs = [_dynamic(item) for item in value]
            return ["tuple", [type_ for type_, _ in pairs]], [plain for _, plain in pairs]
    items = {key: _dynamic(item) for key, item in value.items()}
    types = {key: type_ for key, (type_, _) in items.items()}
    return ["object", types], {key: plain for key, (_, plain) in items.items()}


def packed(schema: Any, values: dict[str, Any] | None) -> dict[str, bytes]:
    """A DynamicValue for a call, of values by a protobuf schema."""
    return {"msgpack": msgpack.packb(complete(schema.block, values))}


BLOCKS = frozenset(
    {
        "ssh", "mirrors", "simulate", "control_plane", "endpoint", "selector", "networking",
        "metallb", "kubeadm", "api_server", "oidc", "tolerate", "drain", "timeouts", "taint",
        "workers",
    }
)  # fmt: skip


def hcl(site: dict[str, Any], more: str = "", **clusters: dict[str, Any]) -> str:
    """A Terraform configuration; JSON's literals are HCL's."""
    lines = [
        "terraform {",
        "  required_providers {",
        '    rpool = { source = "resource-pool/rpool" }',
        "  }",
        "}",
        'provider "rpool" {',
        *_attributes(site),
        "}",
    ]
    for name, values in clusters.items():
        lines += [f'resource "rpool_cluster" "{name}" {{', *_attributes(values), "}"]
    return "\n".join([*lines, more, ""])


class Expression(str):
    """HCL that stands for itself, such as a reference."""


def _attributes(values: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        if name == "workers" and isinstance(value, dict):
            for label, group in value.items():
                lines += _attributes({f"{name} {json.dumps(label)}": group})
        elif name in BLOCKS and isinstance(value, list):
            for item in value:
                lines += _attributes({name: item})
        elif name.partition(" ")[0] in BLOCKS and isinstance(value, dict):
            lines += [f"  {name} {{", *(f"  {line}" for line in _attributes(value)), "  }"]
        else:
            lines.append(f"  {name} = {_literal(value)}")
    return lines


def _literal(value: Any) -> str:
    if isinstance(value, Expression):
        return value
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(k)} = {_literal(v)}" for k, v in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    return json.dumps(value)
