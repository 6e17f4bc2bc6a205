"""What the provider has and what it was configured with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rpool.api import Site
from rpool.errors import SpecError
from rpool.model.site import SiteConfig
from rpool_provider.provider import Provider


def test_the_schemas_told_are_those_of_the_resources() -> None:
    provider = Provider()
    resources, data_sources = provider.resources, provider.data_sources
    assert provider.resource_schemas == {
        name: resource.schema for name, resource in resources.items()
    }
    assert provider.data_source_schemas == {
        name: data_source.schema for name, data_source in data_sources.items()
    }


def test_all_calls_of_a_process_meet_the_same_resources() -> None:
    """A node remembers what else was planned, and Terraform plans ten at a time."""
    provider = Provider()
    with ThreadPoolExecutor(16) as calls:
        met = list(calls.map(lambda _: provider.resources["rpool_node"], range(64)))
    assert len({id(node) for node in met}) == 1


def _configuration(servers: int) -> dict[str, Any]:
    return {"fleet": None, "ssh": None, "simulate": {"servers": servers}, "mirrors": None}


def test_a_configuration_that_was_checked_is_not_read_again() -> None:
    opened: list[SiteConfig] = []

    def open_site(config: SiteConfig) -> Site:
        opened.append(config)
        return Site(config)

    provider = Provider(open_site)
    for servers in (12, 12, 13):
        assert not provider.validate(_configuration(servers))
        provider.configure(_configuration(servers))
    assert opened[0] is opened[1]
    assert [len(config.fleet.servers) for config in opened] == [12, 12, 13]


def test_a_mistake_is_told_as_often_as_it_is_made() -> None:
    provider = Provider()
    provider.configure(_configuration(12))
    for _ in range(2):
        assert provider.validate(_configuration(0))
        with pytest.raises(SpecError):
            provider.configure(_configuration(0))
