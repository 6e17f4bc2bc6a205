"""Values that Terraform does not know yet, because they come from something not applied yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rpool.errors import Path


@dataclass(frozen=True, slots=True)
class Unknown:
    """`refinements` is what Terraform knows about the value all the same ("not null", a prefix).

    It goes back untouched, so that an attribute that is passed through stays what it was.
    """

    refinements: bytes = b""

    def __str__(self) -> str:
        """As Terraform puts it, should it ever get into a sentence."""
        return "(known after apply)"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false")


UNKNOWN = Unknown()


def is_wholly_known(value: Any) -> bool:
    if isinstance(value, dict):
        return all(is_wholly_known(item) for item in value.values())
    if isinstance(value, list):
        return all(is_wholly_known(item) for item in value)
    return not isinstance(value, Unknown)


def split(value: Any) -> tuple[Any, frozenset[Path]]:
    """The known part of a value, and the paths of what was left out of it.

    A list with an unknown element is left out as a whole: the places of the others would shift.
    """
    hidden: set[Path] = set()
    return _known(value, (), hidden), frozenset(hidden)


def _known(value: Any, path: Path, hidden: set[Path]) -> Any:
    if isinstance(value, Unknown) or (isinstance(value, list) and not is_wholly_known(value)):
        hidden.add(path)
        return None
    if isinstance(value, dict):
        known = {key: _known(item, (*path, key), hidden) for key, item in value.items()}
        return {key: item for key, item in known.items() if (*path, key) not in hidden}
    return value


def unknown_as_null(value: Any) -> Any:
    """What of a planned value may be saved when an apply was cut off: state is wholly known."""
    if isinstance(value, Unknown):
        return None
    if isinstance(value, dict):
        return {key: unknown_as_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unknown_as_null(item) for item in value]
    return value
