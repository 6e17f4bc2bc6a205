"""State written by an older schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rpool_provider.schema import NUMBER, STRING, List, Map, Object, Type, optional
from rpool_provider.wire.state_json import conform, read
from rpool_provider.wire.values import decode, encode

POINT = Object((optional("x", NUMBER, ""), optional("new", STRING, "")))


@pytest.mark.parametrize(
    ("type_", "old", "today"),
    [
        (POINT, '{"x": 1, "gone": true}', {"x": 1, "new": None}),
        (POINT, "null", None),
        (
            Map(POINT),
            '{"a": {"x": 0.1}, "b": null}',
            {"a": {"x": Decimal("0.1"), "new": None}, "b": None},
        ),
        (List(POINT), "[{}]", [{"x": None, "new": None}]),
        (NUMBER, "123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_old_state_takes_todays_shape(type_: Type, old: str, today: Any) -> None:
    assert conform(type_, read(old.encode())) == today


def test_a_fraction_in_state_is_the_same_number_as_the_one_that_was_sent() -> None:
    sent = decode(NUMBER, encode(NUMBER, 31.36))
    assert read(b"31.36") == sent == Decimal("31.36")
