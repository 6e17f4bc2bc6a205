"""What a read leaves for plans: as it was written, or nothing where that is not understood."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpool.api import Offer
from rpool_provider.resources import cluster_private
from rpool_provider.resources.cluster_private import Known

KNOWN = Known(
    Offer(
        verified=frozenset({"a", "b"}),
        given=frozenset({"a"}),
        taken={"c": "is claimed"},
    ),
    frozenset({"d"}),
    frozenset({"e"}),
    refused=frozenset({"f"}),
)
WRITTEN = json.loads(cluster_private.encode(KNOWN))
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
)
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def test_what_was_written_is_read_again() -> None:
    assert cluster_private.decode(cluster_private.encode(KNOWN)) == KNOWN


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"not JSON", b"\xff", b'{"verified": 1}'])
def test_data_of_another_kind_is_nothing(data: bytes) -> None:
    assert cluster_private.decode(data) == Known()


@settings(deadline=None)
@given(ANY_JSON)
def test_any_json_is_read_without_an_error(value: object) -> None:
    assert isinstance(cluster_private.decode(json.dumps(value).encode()), Known)


@settings(deadline=None)
@given(st.sampled_from(sorted(WRITTEN.keys() - {"format"})), ANY_JSON)
def test_a_part_of_another_shape_takes_nothing_else_along(name: str, value: object) -> None:
    """As a newer version may write it."""
    odd = json.dumps(WRITTEN | {name: value, "new": value}).encode()
    again = json.loads(cluster_private.encode(cluster_private.decode(odd)))
    assert {**again, name: None} == {**WRITTEN, name: None}
    assert isinstance(again[name], type(WRITTEN[name]))


@pytest.mark.parametrize("format_", [None, 0, 2, "1"])
def test_another_format_is_nothing_and_the_next_read_makes_it_anew(format_: object) -> None:
    odd = json.dumps(WRITTEN | {"format": format_}).encode()
    assert cluster_private.decode(odd) == Known()
