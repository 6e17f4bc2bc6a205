"""What Terraform holds a provider to, in our own words (`internal/plans/objchange` there).

A schema is that of the protocol. Values are those of `conformed`: null is None, what is not known
is UNKNOWN. Each check returns sentences: what Terraform would blame the provider for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from protocol.cluster_calls import UNKNOWN

Step = str | int


class Blamed(AssertionError):
    """Terraform would say that this is a bug in the provider."""


def blame(about: str, problems: Iterator[str]) -> None:
    """Raise Blamed if there are problems."""
    if blamed := list(problems):
        raise Blamed(f"{about}: {'; '.join(blamed)}")


def is_known(value: Any) -> bool:
    """Whether nothing in it is unknown."""
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    if isinstance(value, list):
        return all(map(is_known, value))
    return bool(value != UNKNOWN)


# -- the type ----------------------------------------------------------------------------------


def conformed(block: Any, value: Any, at: str = "the object") -> Any:
    """`value` as Terraform understands it: sets sorted and without twins, whole numbers as int.
    Raises Blamed where it does not have the schema's type.
    """
    if value is None or value == UNKNOWN:
        return value
    attributes = {attribute.name: attribute for attribute in block.attributes}
    blocks = {nested.type_name: nested for nested in block.block_types}
    if not isinstance(value, dict) or value.keys() != attributes.keys() | blocks.keys():
        raise Blamed(f"{at} does not have the attributes of its schema")
    done = {
        name: _attribute(attribute, value[name], f"{at}.{name}")
        for name, attribute in attributes.items()
    }
    return done | {
        name: _nested(nested, value[name], f"{at}.{name}") for name, nested in blocks.items()
    }


def _nested(nested: Any, value: Any, at: str) -> Any:
    """The value of a block, or of all blocks of one name."""
    if value is None and nested.nesting != nested.SINGLE:
        raise Blamed(f"{at} is null, and a block of its kind is never")
    if nested.nesting in (nested.SINGLE, nested.GROUP) or value == UNKNOWN:
        return conformed(nested.block, value, at)
    if nested.nesting == nested.MAP and isinstance(value, dict):
        return {key: conformed(nested.block, item, f"{at}.{key}") for key, item in value.items()}
    if nested.nesting == nested.SET and isinstance(value, list):
        return sorted((conformed(nested.block, item, at) for item in value), key=repr)
    raise Blamed(f"{at} is a {type(value).__name__}, and no blocks")


def _attribute(attribute: Any, value: Any, at: str) -> Any:
    nested = attribute.nested_type
    if not nested.attributes:
        return _typed(json.loads(attribute.type), value, at)
    if value is None or value == UNKNOWN:
        return value
    if nested.nesting != nested.MAP or not isinstance(value, dict):
        raise Blamed(f"{at} is no map of objects")
    inner = {part.name: part for part in nested.attributes}
    for key, item in value.items():
        if not isinstance(item, dict) or item.keys() != inner.keys():
            raise Blamed(f"{at}.{key} does not have the attributes of its schema")
    return {
        key: {name: _attribute(inner[name], item[name], f"{at}.{key}.{name}") for name in inner}
        for key, item in value.items()
    }


def _typed(type_: Any, value: Any, at: str) -> Any:
    if value is None or value == UNKNOWN:
        return value
    match type_, value:
        case ("string", str()) | ("bool", bool()):
            return value
        case ("number", int() | float() | str()) if not isinstance(value, bool):
            return int(value) if float(value).is_integer() else float(value)
        case (["list", element], list()):
            return [_typed(element, item, f"{at}[{n}]") for n, item in enumerate(value)]
        case (["set", element], list()):
            known = {json.dumps(item): item for item in value if item != UNKNOWN}
            unknown = [item for item in value if item == UNKNOWN]  # any may be another one
            return [_typed(element, known[key], at) for key in sorted(known)] + unknown
        case (["map", element], dict()):
            return {key: _typed(element, item, f"{at}.{key}") for key, item in value.items()}
    raise Blamed(f"{at} is a {type(value).__name__} and not a {type_}")


# -- a plan beside the configuration -----------------------------------------------------------


def plan_problems(
    block: Any, prior: Any, config: Any, planned: Any, at: str = "the object"
) -> Iterator[str]:
    """Where a plan does not fit its configuration.

    What is set is planned as it is set, or stays as it was. What is not set is null, unless it is
    computed.
    """
    if planned is None or config is None:
        if planned is not config:
            yield f"{at} is planned as {planned}, and configured as {config}"
        return
    for attribute in block.attributes:
        before, wanted, then = (_of(value, attribute.name) for value in (prior, config, planned))
        if then == wanted or (then == before and None not in (before, wanted)):
            continue
        if attribute.computed and (wanted is None or not attribute.optional):
            continue
        yield f"{at}.{attribute.name} is planned as {then}, and configured as {wanted}"
    for nested in block.block_types:
        before, wanted, then = (_of(value, nested.type_name) for value in (prior, config, planned))
        where = f"{at}.{nested.type_name}"
        if then == wanted:
            continue
        if (
            UNKNOWN in (wanted, then)
            or nested.nesting == nested.SET
            or _other_keys(nested, wanted, then)
        ):
            yield f"{where} is planned as {then}, and configured as {wanted}"
        elif nested.nesting == nested.MAP:
            for key in wanted:
                earlier = _of(before, key) if key in (before or {}) else None
                yield from plan_problems(
                    nested.block, earlier, wanted[key], then[key], f"{where}.{key}"
                )
        else:
            yield from plan_problems(nested.block, before, wanted, then, where)


def _other_keys(nested: Any, one: Any, other: Any) -> bool:
    return bool(nested.nesting == nested.MAP and one.keys() != other.keys())


def _of(value: Any, name: str) -> Any:
    """An attribute of an object: null where the object is null, unknown where it is unknown."""
    return value[name] if isinstance(value, dict) else value


def replacing(prior: Any, planned: Any, paths: Sequence[Sequence[Step]]) -> list[Sequence[Step]]:
    """The paths whose values differ: they make a plan a replacement. Raises Blamed for a path that
    leads nowhere.
    """
    changed = []
    for path in paths:
        before, after = _at(prior, path), _at(planned, path)
        if before is NOWHERE and after is NOWHERE:
            raise Blamed(f"{path} is to replace the object, and leads nowhere")
        before, after = (None if value is NOWHERE else value for value in (before, after))
        if before != after or not is_known(after):
            changed.append(path)
    return changed


NOWHERE = object()


def _at(value: Any, path: Sequence[Step]) -> Any:
    for step in path:
        if value == UNKNOWN:
            return UNKNOWN
        inside = step in value if isinstance(value, dict) else step in range(len(value or ()))
        if not inside:
            return NOWHERE
        value = value[step]
    return value


# -- what came of a plan -----------------------------------------------------------------------


def differences(block: Any, planned: Any, actual: Any, at: str = "the object") -> Iterator[str]:
    """Where `actual`, a later plan or the result of the apply, is not what was planned. What the
    plan did not know may be anything.
    """
    if (planned is None) != (actual is None):
        yield f"{at} was {_presence(planned)}, and is {_presence(actual)} now"
        return
    if planned is None:
        return
    for attribute in block.attributes:
        nested = attribute.nested_type
        type_ = ["map", "object"] if nested.attributes else json.loads(attribute.type)
        before, now = _of(planned, attribute.name), _of(actual, attribute.name)
        yield from _changed(type_, before, now, f"{at}.{attribute.name}")
    for nested_block in block.block_types:
        before, now = _of(planned, nested_block.type_name), _of(actual, nested_block.type_name)
        where = f"{at}.{nested_block.type_name}"
        if before == UNKNOWN and nested_block.nesting in (nested_block.SET, nested_block.MAP):
            continue
        if nested_block.nesting == nested_block.SET or _other_keys(nested_block, before, now):
            yield from _changed(["set", "object"], before, now, where)
        elif nested_block.nesting == nested_block.MAP:
            for key in before:
                yield from differences(nested_block.block, before[key], now[key], f"{where}.{key}")
        elif before != UNKNOWN or now is not None:
            yield from differences(nested_block.block, before, now, where)


def _presence(value: Any) -> str:
    return "absent" if value is None else "present"


def _changed(type_: Any, planned: Any, actual: Any, at: str) -> Iterator[str]:
    if planned == UNKNOWN:
        return
    match type_, planned, actual:
        case (["map", element], dict(), dict()):
            for key in planned.keys() | actual.keys():
                if key in planned and key in actual:
                    yield from _changed(element, planned[key], actual[key], f"{at}.{key}")
                else:
                    yield f"{at}.{key} has {'vanished' if key in planned else 'appeared'}"
        case ("object", dict(), dict()):
            for name in planned:
                yield from _changed(None, planned[name], actual[name], f"{at}.{name}")
        case (["list", element], list(), list()) if len(planned) == len(actual):
            for number, (before, now) in enumerate(zip(planned, actual, strict=True)):
                yield from _changed(element, before, now, f"{at}[{number}]")
        case (["set", _], list(), list()):
            unsure = UNKNOWN in planned
            gone = [item for item in planned if item != UNKNOWN and item not in actual]
            new = [item for item in actual if item not in planned]
            if gone or (new and not unsure) or len(planned) < len(actual):
                yield f"{at} was {planned}, and is {actual} now"
        case _ if planned != actual:
            yield f"{at} was {planned}, and is {actual} now"
