"""Diagnostics, and the attribute paths in them, in the protocol's words."""

from __future__ import annotations

from collections.abc import Iterable

from rpool.errors import Path
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.schema import List, Map, Object, Type
from rpool_provider.wire.gen import tfplugin6_pb2 as pb

_Step = pb.AttributePath.Step


def encode(diagnostics: Iterable[Diagnostic], root: Type) -> list[pb.Diagnostic]:
    return [_one(diagnostic, root) for diagnostic in diagnostics]


def _one(diagnostic: Diagnostic, root: Type) -> pb.Diagnostic:
    message = pb.Diagnostic(
        severity=pb.Diagnostic.ERROR if diagnostic.is_error else pb.Diagnostic.WARNING,
        summary=diagnostic.summary,
        detail=diagnostic.detail,
    )
    steps = path(diagnostic.path, root)
    if steps.steps:
        message.attribute.CopyFrom(steps)
    return message


def path(steps: Path, root: Type) -> pb.AttributePath:
    """A path as far as the schema knows it. The protocol cannot point into a set, so it ends there.

    An attribute's name and a map's key look alike in Python; the schema tells which is which.
    """
    message = pb.AttributePath()
    type_ = root
    for step in steps:
        match type_:
            case Object(attributes):
                found = [a.type for a in attributes if a.name == step]
                if not found:
                    break
                message.steps.append(_Step(attribute_name=str(step)))
                type_ = found[0]
            case Map(element):
                message.steps.append(_Step(element_key_string=str(step)))
                type_ = element
            case List(element) if isinstance(step, int):
                message.steps.append(_Step(element_key_int=step))
                type_ = element
            case _:
                break
    return message
