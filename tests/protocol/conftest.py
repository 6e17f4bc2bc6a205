from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.cluster_calls import Calls, errors
from protocol.plugin_process import PluginProcess, simulated
from protocol.site_config import cluster
from protocol.workspace import found_terraform


def pytest_report_header() -> str:
    return f"rpool is tested with: {found_terraform()}"


@pytest.fixture
def world_file(tmp_path: Path) -> Path:
    return tmp_path / "world"


@pytest.fixture
def calls(world_file: Path) -> Iterator[Calls]:
    """A process of its own, with servers of its own."""
    with PluginProcess(simulated(world_file)) as process:
        yield Calls(process)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """One process for all tests whose calls change nothing."""
    world_file = tmp_path_factory.mktemp("shared") / "world"
    with PluginProcess(simulated(world_file)) as process:
        yield Calls(process)


@pytest.fixture(scope="session")
def created(shared: Calls) -> Any:
    """The state (a DynamicValue) of `cluster()`, made in the shared process."""
    reply = shared.create(cluster())
    assert errors(reply) == []
    return reply.new_state
