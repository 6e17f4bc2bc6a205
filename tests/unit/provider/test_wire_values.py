"""Terraform's values on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpool_provider.schema import (
    BOOL,
    NUMBER,
    STRING,
    List,
    Map,
    Object,
    Set,
    Type,
    optional,
)
from rpool_provider.wire.unknown import (
    UNKNOWN,
    Unknown,
    is_wholly_known,
    split,
    unknown_as_null,
)
from rpool_provider.wire.values import Malformed, decode, encode

POINT = Object((optional("x", NUMBER, ""), optional("label", STRING, "")))

ROUND_TRIPS: list[tuple[Type, Any]] = [
    (STRING, ""),
    (STRING, "käse \N{PILE OF POO}"),
    (STRING, None),
    (BOOL, True),
    (BOOL, False),
    (NUMBER, 0),
    (NUMBER, -1),
    (NUMBER, 2**53 + 1),
    (NUMBER, -(2**63)),
    (NUMBER, 2**64 - 1),
    (NUMBER, 2**64),
    (NUMBER, -(2**70)),
    (NUMBER, Decimal("0.1")),
    (NUMBER, Decimal("-12345678901234567890.123456789")),
    (List(STRING), []),
    (List(STRING), ["b", "a", "b"]),
    (List(STRING), [None, "a"]),
    (Set(NUMBER), [1, 2]),
    (Map(BOOL), {}),
    (Map(List(STRING)), {"a": ["10.0.0.1-10.0.0.9"], "b": []}),
    (POINT, {"x": 1, "label": None}),
    (POINT, None),
    (Map(POINT), {"p": {"x": None, "label": "here"}, "q": None}),
    (List(POINT), [{"x": 2, "label": ""}]),
    (STRING, UNKNOWN),
    (STRING, Unknown(b"\x81\x01\xc2")),
    (POINT, UNKNOWN),
    (POINT, {"x": UNKNOWN, "label": "a"}),
    (Map(POINT), {"p": UNKNOWN}),
    (List(STRING), ["a", UNKNOWN]),
]


@pytest.mark.parametrize(("type_", "value"), ROUND_TRIPS)
def test_values_come_back_as_they_went(type_: Type, value: Any) -> None:
    assert decode(type_, encode(type_, value)) == value


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        (5, 5),
        (5.0, 5),
        (0.5, 0.5),
        ("5", 5),
        ("-0.25", Decimal("-0.25")),
        ("18446744073709551617", 2**64 + 1),
        (float("inf"), float("inf")),
    ],
)
def test_numbers_arrive_in_three_forms(wire: Any, value: Any) -> None:
    decoded = decode(NUMBER, msgpack.packb(wire))
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (5, 5),
        (5.0, 5),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (31.36, "31.36"),
        (2**64, "18446744073709551616"),
        (1e300, str(int(1e300))),
        (float("-inf"), float("-inf")),
    ],
)
def test_numbers_that_are_not_whole_or_too_big_go_as_text(value: Any, wire: Any) -> None:
    assert msgpack.unpackb(encode(NUMBER, value)) == wire


@pytest.mark.parametrize("code", [0, 1, 12, 99])
def test_every_extension_is_an_unknown_value(code: int) -> None:
    decoded = decode(STRING, msgpack.packb(msgpack.ExtType(code, b"\x80")))
    assert isinstance(decoded, Unknown)


def test_an_unknown_value_goes_out_as_terraform_writes_it() -> None:
    assert encode(STRING, UNKNOWN) == b"\xd4\x00\x00"


def test_what_terraform_knows_of_an_unknown_value_goes_back_to_it() -> None:
    refined = msgpack.packb(msgpack.ExtType(12, b"\x82\x01\xc2\x02\xa3abc"))
    assert encode(STRING, decode(STRING, refined)) == refined


@pytest.mark.parametrize(
    ("type_", "wire", "message"),
    [
        (STRING, 5, "the value should be a string and is int"),
        (BOOL, "true", "the value should be a bool and is str"),
        (NUMBER, "many", "the value should be a number and is str"),
        (NUMBER, True, "the value should be a number and is bool"),
        (List(STRING), {"a": "b"}, "the value should be a list and is dict"),
        (Map(POINT), {"p": {"x": "y", "label": None}}, "p.x should be a number and is str"),
        (POINT, {"x": 1}, "the value should be an object with x, label and is dict"),
        (POINT, {"x": 1, "label": "", "z": 1}, "the value should be an object with x, label and"),
    ],
)
def test_a_value_of_another_type_is_named_by_its_place(
    type_: Type, wire: Any, message: str
) -> None:
    with pytest.raises(Malformed) as failure:
        decode(type_, msgpack.packb(wire))
    assert message in failure.value.summary


def test_a_malformed_value_is_not_quoted() -> None:
    with pytest.raises(Malformed) as failure:
        encode(NUMBER, "canary")
    assert "canary" not in str(failure.value)


# -- any value of any type -----------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=3)


def types() -> st.SearchStrategy[Type]:
    def wider(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
        objects = st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(
            lambda fields: Object(tuple(optional(n, t, "") for n, t in fields.items()))
        )
        return st.one_of(inner.map(List), inner.map(Set), inner.map(Map), objects)

    return st.recursive(st.sampled_from([STRING, NUMBER, BOOL]), wider, max_leaves=8)


def values(type_: Type) -> st.SearchStrategy[Any]:
    unknowns = st.builds(Unknown, st.binary(max_size=5))
    return st.one_of(_known(type_), st.none(), unknowns)


def _known(type_: Type) -> st.SearchStrategy[Any]:
    match type_:
        case List(element) | Set(element):
            return st.lists(values(element), max_size=4)
        case Map(element):
            return st.dictionaries(NAMES, values(element), max_size=4)
        case Object(attributes):
            return st.fixed_dictionaries({a.name: values(a.type) for a in attributes})
    if type_ is STRING:
        return st.text(max_size=5)
    if type_ is BOOL:
        return st.booleans()
    return st.one_of(st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=3))


typed_values = types().flatmap(lambda type_: st.tuples(st.just(type_), values(type_)))


@settings(deadline=None)
@given(typed_values)
def test_any_value_comes_back_as_it_went(typed: tuple[Type, Any]) -> None:
    type_, value = typed
    assert decode(type_, encode(type_, value)) == value


@settings(deadline=None)
@given(typed_values)
def test_splitting_leaves_nothing_unknown_and_names_all_that_was(typed: tuple[Type, Any]) -> None:
    value = typed[1]
    known, hidden = split(value)
    assert is_wholly_known(known)
    assert bool(hidden) == (not is_wholly_known(value))


@settings(deadline=None)
@given(typed_values)
def test_what_may_be_saved_is_wholly_known_and_still_of_its_type(typed: tuple[Type, Any]) -> None:
    type_, value = typed
    saved = unknown_as_null(value)
    assert is_wholly_known(saved)
    encode(type_, saved)


@pytest.mark.parametrize(
    ("value", "known", "hidden"),
    [
        ({"a": 1, "b": UNKNOWN}, {"a": 1}, {("b",)}),
        ({"a": {"b": UNKNOWN, "c": None}}, {"a": {"c": None}}, {("a", "b")}),
        ({"zones": ["x", UNKNOWN]}, {}, {("zones",)}),
        ({"pools": {"p": ["x"], "q": UNKNOWN}}, {"pools": {"p": ["x"]}}, {("pools", "q")}),
    ],
)
def test_what_is_unknown_is_left_out_and_named(value: Any, known: Any, hidden: Any) -> None:
    assert split(value) == (known, hidden)


def test_asking_whether_an_unknown_is_true_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)
