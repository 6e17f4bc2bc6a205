"""Planned values by the rules that Terraform checks, and what changes between two of them.

The rules: a configured value stays as configured, or as before where that means the same; a
computed value that is not configured is its default, or as before, or unknown; all else is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rpool.errors import Path
from rpool_provider.schema import Attribute, Object
from rpool_provider.wire.unknown import UNKNOWN, Unknown, is_wholly_known


def planned(
    type_: Object, config: Mapping[str, Any], prior: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The planned values for `config`; `prior` is None for what does not exist yet."""
    return {
        attribute.name: _planned(attribute, config[attribute.name], (prior or {}), prior is None)
        for attribute in type_.attributes
    }


def _planned(attribute: Attribute, config: Any, prior: Mapping[str, Any], is_new: bool) -> Any:
    if isinstance(attribute.type, Object) and isinstance(config, dict):
        return planned(attribute.type, config, prior.get(attribute.name))
    if config is not None:
        return _kept(attribute, config, prior.get(attribute.name))
    if attribute.default is not None:
        return attribute.default
    if not attribute.computed:
        return None
    return UNKNOWN if is_new else prior[attribute.name]


def _kept(attribute: Attribute, config: Any, prior: Any) -> Any:
    if attribute.meaning is None or prior is None or not is_wholly_known(config):
        return config
    return prior if attribute.meaning(prior) == attribute.meaning(config) else config


@dataclass(frozen=True, slots=True)
class Changed:
    attribute: Attribute
    path: Path
    planned: Any


def changes(
    root: Object, prior: Mapping[str, Any], planned: Mapping[str, Any], at: Path = ()
) -> Iterator[Changed]:
    """Attributes whose values differ, the innermost ones of nested objects. In an object that is
    not known yet, all count as different.
    """
    for attribute in root.attributes:
        before, after = prior[attribute.name], planned[attribute.name]
        path = (*at, attribute.name)
        type_ = attribute.type
        if isinstance(type_, Object) and isinstance(before, dict) and isinstance(after, dict):
            yield from changes(type_, before, after, path)
        elif isinstance(type_, Object) and isinstance(before, dict) and isinstance(after, Unknown):
            unknown = dict.fromkeys((a.name for a in type_.attributes), UNKNOWN)
            yield from changes(type_, before, unknown, path)
        elif before != after:
            yield Changed(attribute, path, after)
