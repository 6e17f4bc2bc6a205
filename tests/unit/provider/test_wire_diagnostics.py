"""What the user is told, and where it points to."""

from __future__ import annotations

import pytest

from rpool.errors import Bug, CommandFailed, Path, Problem, SpecError
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic, warning
from rpool_provider.schema import (
    DYNAMIC,
    NUMBER,
    STRING,
    List,
    Map,
    Object,
    Set,
    computed,
    optional,
)
from rpool_provider.wire import diagnostics
from rpool_provider.wire.gen import tfplugin6_pb2 as pb

SERVER = Object((optional("cores", NUMBER, ""),))
ROOT = Object(
    (
        optional("fleet", DYNAMIC, ""),
        computed("servers", Map(SERVER), ""),
        optional("pools", Map(List(STRING)), ""),
        optional("zones", Set(STRING), ""),
        optional("taints", List(SERVER), ""),
        optional("taint", Set(SERVER), ""),
        optional("one", SERVER, ""),
    )
)


def steps(path: Path) -> list[tuple[str, str | int]]:
    encoded = []
    for step in diagnostics.path(path, ROOT).steps:
        kind = step.WhichOneof("selector")
        assert kind is not None
        encoded.append((kind, getattr(step, kind)))
    return encoded


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), []),
        (("fleet",), [("attribute_name", "fleet")]),
        (
            ("fleet", "s1", "cores"),
            [("attribute_name", "fleet"), ("element_key_string", "s1")],
        ),
        (
            ("servers", "s1", "cores"),
            [
                ("attribute_name", "servers"),
                ("element_key_string", "s1"),
                ("attribute_name", "cores"),
            ],
        ),
        (
            ("pools", "a", 0),
            [("attribute_name", "pools"), ("element_key_string", "a"), ("element_key_int", 0)],
        ),
        (
            ("taints", 1, "cores"),
            [("attribute_name", "taints"), ("element_key_int", 1), ("attribute_name", "cores")],
        ),
    ],
)
def test_a_path_becomes_names_keys_and_indexes_by_the_schema(
    path: Path, expected: list[tuple[str, str | int]]
) -> None:
    assert steps(path) == expected


@pytest.mark.parametrize("path", [("zones", 0), ("zones", "rack1")])
def test_a_path_into_a_set_ends_at_the_set(path: Path) -> None:
    assert steps(path) == [("attribute_name", "zones")]


def test_a_path_that_the_schema_does_not_have_ends_where_it_leaves_it() -> None:
    assert steps(("servers", "s1", "colour", "hue")) == [
        ("attribute_name", "servers"),
        ("element_key_string", "s1"),
    ]


def test_a_diagnostic_about_the_whole_has_no_attribute() -> None:
    (message,) = diagnostics.encode([warning("mind", "the gap")], ROOT)
    assert message.severity == pb.Diagnostic.WARNING
    assert (message.summary, message.detail) == ("mind", "the gap")
    assert not message.HasField("attribute")


@pytest.mark.parametrize(
    ("where", "pointed_at", "summary"),
    [
        (("fleet",), ["fleet"], "is bad"),
        (("fleet", "s1"), ["fleet", "s1"], "is bad"),
        (("fleet", "s1", "cores"), ["fleet", "s1"], "fleet.s1.cores: is bad"),
        (("pools", "a", 0), ["pools", "a"], "pools.a.0: is bad"),
        (("zones", 0), ["zones"], "zones.0: is bad"),
        (("taints", 1, "cores"), ["taints"], "taints.1.cores: is bad"),
        (("taint", 0, "cores"), ["taint"], "taint.0.cores: is bad"),
        (("one", "cores"), ["one", "cores"], "is bad"),
        (("moon",), [], "moon: is bad"),
    ],
)
def test_a_place_ends_where_terraform_finds_a_line_and_the_summary_names_the_rest(
    where: Path, pointed_at: list[str], summary: str
) -> None:
    (message,) = diagnostics.encode([Diagnostic("is bad", "", where)], ROOT)
    encoded = [getattr(step, step.WhichOneof("selector") or "") for step in message.attribute.steps]
    assert (encoded, message.summary) == (pointed_at, summary)
    named = Diagnostic(f"the whole {'.'.join(map(str, where))}", "", where)
    (message,) = diagnostics.encode([named], ROOT)
    assert message.summary == named.summary


def test_every_problem_of_a_request_is_shown_at_its_place() -> None:
    error = SpecError([Problem(("a",), "one", "why"), Problem(("b", 0), "two")])
    assert diagnostic.of_error(error) == [
        Diagnostic("one", "why", ("a",)),
        Diagnostic("two", "", ("b", 0)),
    ]


@pytest.mark.parametrize("error", [CommandFailed("s1: kubeadm failed", "exit 1"), Bug("b", "d")])
def test_the_engines_errors_are_shown_in_their_own_words(error: CommandFailed | Bug) -> None:
    assert diagnostic.of_error(error) == [Diagnostic(error.summary, error.detail)]


def test_an_unexpected_error_shows_where_and_never_what_it_quotes() -> None:
    try:
        dict[str, int]()["canary-secret"]
    except KeyError as error:
        (reported,) = diagnostic.of_error(error)
    assert reported.is_error
    assert "KeyError" in reported.summary
    assert "provider/test_wire_diagnostics.py" in reported.detail
    assert "report" in reported.detail
    assert "canary" not in reported.summary + reported.detail
