"""Values that Terraform does not know yet, because they come from something not applied yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rpool.errors import Path


@dataclass(frozen=True, slots=True)
class Unknown:
    """`refinements` is what Terraform does know about the value ("not null", a prefix).

    They are sent back unchanged, so that an attribute that is passed through stays the same.
    """

    refinements: bytes = b""

    def __str__(self) -> str:
        """Terraform's words for it, in case it gets into a sentence."""
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

    A list with an unknown element is left out as a whole: the other elements would change places.
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
    """A planned value as it may be saved when an apply was cut off: state has no unknown values."""
    if isinstance(value, Unknown):
        return None
    if isinstance(value, dict):
        return {key: unknown_as_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unknown_as_null(item) for item in value]
    return value
