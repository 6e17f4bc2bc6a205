"""Planned values keep the rules that Terraform checks."""

from __future__ import annotations

from typing import Any

import pytest

from rpool_provider.resources.planning import changes, planned
from rpool_provider.schema import (
    NUMBER,
    STRING,
    Map,
    Object,
    computed,
    defaulted,
    optional,
    required,
)
from rpool_provider.wire.unknown import UNKNOWN

NETWORK = Object(
    (defaulted("cidr", STRING, "10/8", "", replaces=True), optional("cni", STRING, ""))
)
ROOT = Object(
    (
        required("name", STRING, "", replaces=True),
        optional("cores", NUMBER, ""),
        required("network", NETWORK, ""),
        defaulted("mode", STRING, "plain", ""),
        optional("labels", Map(STRING), ""),
        computed("id", STRING, ""),
    )
)
CONFIG: dict[str, Any] = {
    "name": "a",
    "cores": None,
    "network": {"cidr": None, "cni": None},
    "mode": None,
    "labels": None,
    "id": None,
}
PRIOR = CONFIG | {"network": {"cidr": "10/8", "cni": None}, "mode": "plain", "id": "1"}


def test_at_create_computed_is_unknown_and_defaults_are_filled_in() -> None:
    assert planned(ROOT, CONFIG, None) == PRIOR | {"id": UNKNOWN}


def test_without_a_change_the_plan_is_what_there_is() -> None:
    assert planned(ROOT, CONFIG, PRIOR) == PRIOR
    assert list(changes(ROOT, PRIOR, planned(ROOT, CONFIG, PRIOR))) == []


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_what_is_configured_stays_as_configured(prior: dict[str, Any] | None) -> None:
    config = CONFIG | {
        "cores": 4,
        "mode": "fancy",
        "labels": {"a": UNKNOWN},
        "network": {"cidr": UNKNOWN, "cni": "x"},
    }
    plan = planned(ROOT, config, prior)
    for name in ("name", "cores", "mode", "labels", "network"):
        assert plan[name] == config[name]


def test_an_object_that_is_unknown_as_a_whole_stays_unknown() -> None:
    assert planned(ROOT, CONFIG | {"network": UNKNOWN}, PRIOR)["network"] == UNKNOWN


def test_a_setting_that_is_taken_away_goes_back_to_its_default() -> None:
    prior = PRIOR | {"network": {"cidr": "172/8", "cni": "x"}, "mode": "fancy", "cores": 4}
    plan = planned(ROOT, CONFIG, prior)
    assert plan == PRIOR
    assert {change.path for change in changes(ROOT, prior, plan)} == {
        ("network", "cidr"),
        ("network", "cni"),
        ("mode",),
        ("cores",),
    }


def test_changes_are_told_at_the_innermost_attribute_with_its_rules() -> None:
    plan = planned(ROOT, CONFIG | {"network": {"cidr": "172/8", "cni": None}}, PRIOR)
    (change,) = changes(ROOT, PRIOR, plan)
    assert change.path == ("network", "cidr")
    assert change.attribute.replaces
    assert change.planned == "172/8"


def test_a_map_is_one_value_and_changes_as_a_whole() -> None:
    plan = planned(ROOT, CONFIG | {"labels": {"a": "b"}}, PRIOR)
    assert [change.path for change in changes(ROOT, PRIOR, plan)] == [("labels",)]
