"""Validation by pydantic, with its errors in plain words and with their paths."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rpool.config.models import SERVER_SETTINGS, SITE_SETTINGS, SiteModel
from rpool.errors import Path, Problem, touches
from rpool.model.secret import may_be_key

M = TypeVar("M", bound=BaseModel)


def validated(
    model: type[M], config: Mapping[str, Any], unknown: Collection[Path]
) -> tuple[M | None, list[Problem]]:
    """A configuration's model, or its mistakes; neither if only unknown values are missing."""
    try:
        return model.model_validate(_without_null(config)), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        settings = SITE_SETTINGS if model is SiteModel else {}
        return None, [
            _problem(detail, settings) for detail in details if not touches(_path(detail), unknown)
        ]


def null_entries(config: Any, *maps: Path) -> Iterator[Problem]:
    """Mistakes: entries of these maps that are null. Elsewhere null is "not set"; to pass over an
    entry here would change the meaning, such as widen a selection.
    """
    for path in maps:
        inner = config
        for step in path:
            inner = inner.get(step) if isinstance(inner, Mapping) else None
        for key, value in inner.items() if isinstance(inner, Mapping) else ():
            if value is None:
                where = path if may_be_key(str(key)) else (*path, key)
                name = ".".join(map(str, where))
                yield Problem(where, f"{name} has no value: it is null", "Leave it out, or set it.")


def _without_null(value: Any) -> Any:
    """The value without nulls: null is "not set", and the default applies."""
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_null(item) for item in value]
    return value


def _path(details: ErrorDetails) -> Path:
    """The path of an error. For a bad map key, pydantic adds "[key]" to the path of the entry."""
    return tuple(part for part in details["loc"] if part != "[key]")


def _problem(details: ErrorDetails, settings: Mapping[Path, tuple[str, ...]]) -> Problem:
    path = tuple(takewhile(lambda part: not may_be_key(str(part)), _path(details)))
    where = ".".join(str(part)[:60] for part in path) or "the configuration"
    if path != _path(details):
        where += ": an entry whose name may be a key"
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            summary = f"{where} is required"
        case "value_error":
            summary = f"{where}: {context['error']}"
        case "greater_than_equal":
            summary = f"{where} must be at least {context['ge']}"
        case "less_than_equal":
            summary = f"{where} must be at most {context['le']}"
        case "too_short":
            summary = f"{where} must not be empty"
        case "extra_forbidden":
            meant = _suggestion(path, settings) if path == _path(details) else ""
            return Problem(path, f"{where} is not a setting", meant)
        case kind if kind in _KINDS:
            summary = f"{where} must be {_KINDS[kind]}"
        case _:
            summary = f"{where}: {details['msg']}"
    return Problem(path, summary, _HINTS.get((path, details["type"]), ""))


_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map of settings",
}
_HINTS: dict[tuple[Path, str], str] = {
    (("fleet",), "dict_type"): (
        'From a file: fleet = yamldecode(file("fleet.yaml")). Its keys are names of servers.'
    ),
    (("selector", "zones"), "too_short"): "Leave it out for servers of all zones.",
}


def _suggestion(path: Path, settings: Mapping[Path, tuple[str, ...]]) -> str:
    """A suggestion for an unknown setting of a server, or of a part of a site's file. (Terraform
    itself refuses unknown settings of a block.)
    """
    if path[:1] == ("fleet",) and len(path) == len(("fleet", "server", "setting")):
        what, names = "A server", SERVER_SETTINGS
    elif path[:-1] in settings:
        what, names = ".".join(map(str, path[:-1])) or "A site", settings[path[:-1]]
    else:
        return ""
    near = get_close_matches(str(path[-1]), names, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"{meant}{what} has: {', '.join(names)}."
