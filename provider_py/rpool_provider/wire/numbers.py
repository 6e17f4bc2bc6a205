"""Numbers between Terraform, where they have any precision, and Python.

A number that is not whole is sent as decimal text: Terraform reads it so from configuration and
from state, so 0.1 stays the same number on both sides.
"""

from __future__ import annotations

import math
from typing import Any

_INTEGERS = range(-(2**63), 2**64)
"""What msgpack can hold; anything beyond goes as text."""


def read(value: Any) -> Any:
    """The number, as an int where it is whole. Raises TypeError, ValueError, ArithmeticError."""
    if isinstance(value, str):
        return from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return int(value) if math.isfinite(value) and value == int(value) else value


def from_text(text: str) -> Any:
    from decimal import Decimal  # seldom needed, and not quick to load

    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number


def written(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise TypeError("not a number")
    if not math.isfinite(value):
        return float(value)
    if value == int(value):
        return int(value) if int(value) in _INTEGERS else str(int(value))
    return _decimal_text(value)


def _decimal_text(value: Any) -> str:
    from decimal import Decimal

    return format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
