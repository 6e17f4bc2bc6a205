"""Diagnostics, and the attribute paths in them, in the protocol's words."""

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
    whole = path(diagnostic.path, root).steps
    shown = whole[: _shown(diagnostic.path, root)]
    message = pb.Diagnostic(
        severity=pb.Diagnostic.ERROR if diagnostic.is_error else pb.Diagnostic.WARNING,
        summary=diagnostic.summary,
        detail=diagnostic.detail,
    )
    if shown:
        message.attribute.steps.extend(shown)
    if len(shown) < len(diagnostic.path):
        message.summary = _with_path(diagnostic)
    return message


def _shown(steps: Path, root: Type) -> int:
    """How many steps of a path Terraform can turn into a line: those through blocks, to an
    attribute of the last one, and to a key that is written there. From any longer path it shows the
    first line of the resource.
    """
    type_, count = root, 0
    for step in steps:
        match type_:
            case Object(attributes):
                found = next((its for its in attributes if its.name == step), None)
                if found is None:
                    break
                count += 1
                if found.block is None:
                    return count + isinstance(found.type, Map | Dynamic)
                type_ = found.type
            case Map(Object() as block):
                count += 1  # blocks with a label
                type_ = block
            case _:
                break
    return count


def _with_path(diagnostic: Diagnostic) -> str:
    """The summary, with the whole path in it for those who cannot see where the error points."""
    where = ".".join(map(str, diagnostic.path))
    said = diagnostic.summary
    return said if where in said else f"{where}: {said}"


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
            case Dynamic():
                message.steps.append(_Step(element_key_string=str(step)))
                break
            case List(element) if isinstance(step, int):
                message.steps.append(_Step(element_key_int=step))
                type_ = element
            case _:
                break
    return message
