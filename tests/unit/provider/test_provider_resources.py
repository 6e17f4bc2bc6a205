"""What the provider has, told before it is loaded and as it is then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rpool_provider.provider import Provider


def test_the_schemas_told_are_those_of_the_resources() -> None:
    provider = Provider()
    resources, data_sources = provider.resources, provider.data_sources
    assert provider.resource_schemas == {name: its.schema for name, its in resources.items()}
    assert provider.data_source_schemas == {name: its.schema for name, its in data_sources.items()}


def test_all_calls_of_a_process_meet_the_same_resources() -> None:
    """A node remembers what else was planned, and Terraform plans ten at a time."""
    provider = Provider()
    with ThreadPoolExecutor(16) as calls:
        met = list(calls.map(lambda _: provider.resources["rpool_node"], range(64)))
    assert len({id(node) for node in met}) == 1
