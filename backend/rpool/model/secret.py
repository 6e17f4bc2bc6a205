"""Values that must not be shown: wherever they turn up by accident, they print as stars."""

from __future__ import annotations

import re
from typing import Any, NoReturn

_KEY = re.compile(r"PRIVATE KEY|[A-Za-z0-9+/=_]{40}")
_SHOWN_CHARACTERS = 60


def may_be_key(value: str) -> bool:
    """Whether a value looks like a key or part of one: users put keys into wrong attributes."""
    return _KEY.search(value) is not None


def shown(value: str) -> str:
    """A value as an error may quote it: one line of 60 characters at most, and no key."""
    if may_be_key(value):
        return "this value (not shown, since it may be a key)"
    line = " ".join(value.split())
    cut = line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}..."
    return f'"{cut}"'


class Secret:
    """A secret string. `reveal()` is the only way to read it, and easy to search for."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(****)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "****"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self


NO_SECRET = Secret("")
