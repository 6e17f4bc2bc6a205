"""Which servers a provider block has: real ones, modelled ones, or a clear error."""

from __future__ import annotations

from typing import Any

import pytest
from worlds.declared import SITE

from rpool.config import parse_site
from rpool.errors import Path, SpecError

SERVER = {"address": "10.0.1.4", "cores": 8, "memory": 16, "zone": "rack1"}
FLEET = {"r1u04": SERVER}


def test_a_number_is_a_fleet() -> None:
    config = parse_site({"fleet": None, "ssh": None, "simulate": {"servers": 12}})
    assert config is not None
    assert config.simulated
    assert len(config.fleet.servers) == 12


def test_a_declared_fleet_is_modelled_as_it_is_without_ssh_and_host_keys() -> None:
    lost = SERVER | {"address": "10.0.1.5", "lost": True, "host_key": None}
    config = parse_site({"fleet": FLEET | {"r1u05": lost}, "simulate": {"servers": None}})
    assert config is not None
    assert config.simulated
    assert config.fleet.servers["r1u05"].lost


def test_a_real_site_can_be_simulated_as_it_is() -> None:
    real, modelled = parse_site(SITE), parse_site(SITE | {"simulate": {}})
    assert real is not None and modelled is not None
    assert (real.simulated, modelled.simulated) == (False, True)
    assert real.fleet == modelled.fleet


@pytest.mark.parametrize(
    ("config", "path", "says"),
    [
        ({}, ("fleet",), "no servers"),
        ({"ssh": SITE["ssh"]}, ("fleet",), "fleet is required"),
        ({"fleet": SITE["fleet"]}, ("ssh",), "ssh is required"),
        ({"fleet": FLEET, "ssh": SITE["ssh"]}, ("fleet", "r1u04"), "host_key is missing"),
        ({"simulate": {}}, ("simulate",), "simulate has no servers"),
        ({"simulate": {"servers": 3}, "fleet": FLEET}, ("simulate", "servers"), "exclude"),
        ({"simulate": {"servers": 0}}, ("simulate", "servers"), "at least 1"),
        ({"simulate": {"servers": 5001}}, ("simulate", "servers"), "at most 5000"),
        ({"simulate": {"servers": 1.5}}, ("simulate", "servers"), "whole number"),
        ({"simulate": {}, "fleet": {}}, ("fleet",), "must not be empty"),
    ],
)
def test_a_wrong_combination_is_one_error_with_its_path(
    config: dict[str, Any], path: Path, says: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_site(config)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert says in problem.summary


@pytest.mark.parametrize(
    ("config", "unknown"),
    [
        ({}, ("fleet",)),
        ({"fleet": SITE["fleet"]}, ("ssh",)),
        ({"fleet": SITE["fleet"]}, ("simulate",)),
        ({"simulate": {}}, ("simulate", "servers")),
        ({"simulate": {}, "fleet": FLEET}, ("simulate", "servers")),
        ({"fleet": FLEET, "ssh": SITE["ssh"]}, ("fleet", "r1u04", "host_key")),
    ],
)
def test_what_is_unknown_yet_is_no_error(config: dict[str, Any], unknown: Path) -> None:
    assert parse_site(config, [unknown]) is None
