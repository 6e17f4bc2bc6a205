"""Diagnostics and their attribute paths as protobuf messages."""

from __future__ import annotations

from collections.abc import Iterable

from rpool.errors import Path
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.schema import Dynamic, List, Map, Object, Type
from rpool_provider.wire.gen import tfplugin6_pb2 as pb

_Step = pb.AttributePath.Step


def encode(diagnostics: Iterable[Diagnostic], root: Type) -> list[pb.Diagnostic]:
    return [_one(diagnostic, root) for diagnostic in diagnostics]


def _one(diagnostic: Diagnostic, root: Type) -> pb.Diagnostic:
    steps = path(diagnostic.path, root).steps
    shown_steps = steps[: _shown(diagnostic.path, root)]
    message = pb.Diagnostic(
        severity=pb.Diagnostic.ERROR if diagnostic.is_error else pb.Diagnostic.WARNING,
        summary=diagnostic.summary,
        detail=diagnostic.detail,
    )
    if shown_steps:
        message.attribute.steps.extend(shown_steps)
    if len(shown_steps) < len(diagnostic.path):
        message.summary = _with_path(diagnostic)
    return message


def _shown(steps: Path, root: Type) -> int:
    """How many steps of a path Terraform can map to a line: those through blocks, to an attribute
    of the last block, and to a key in that attribute. For a longer path it shows the first line of
    the resource.
    """
    type_, count = root, 0
    for step in steps:
        match type_:
            case Object(attributes):
                attribute = next((a for a in attributes if a.name == step), None)
                if attribute is None:
                    break
                count += 1
                if attribute.block is None:
                    return count + isinstance(attribute.type, Map | Dynamic)
                type_ = attribute.type
            case Map(Object() as block):
                count += 1  # blocks with a label
                type_ = block
            case _:
                break
    return count


def _with_path(diagnostic: Diagnostic) -> str:
    """The summary with the whole path in it, since the shown line does not tell it."""
    where = ".".join(map(str, diagnostic.path))
    summary = diagnostic.summary
    return summary if where in summary else f"{where}: {summary}"


def path(steps: Path, root: Type) -> pb.AttributePath:
    """A path as far as the schema knows it. The protocol has no paths into a set, so it ends there.

    An attribute's name and a map's key are both strings here; the schema tells which is which.
    """
    message = pb.AttributePath()
    type_ = root
    for step in steps:
        match type_:
            case Object(attributes):
                types = [a.type for a in attributes if a.name == step]
                if not types:
                    break
                message.steps.append(_Step(attribute_name=str(step)))
                type_ = types[0]
            case Map(element):
                message.steps.append(_Step(element_key_string=str(step)))
                type_ = element
            case Dynamic():
                message.steps.append(_Step(element_key_string=str(step)))
                break
            case List(element) if isinstance(step, int):
                message.steps.append(_Step(element_key_int=step))
                type_ = element
            case _:
                break
    return message
