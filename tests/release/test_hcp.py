"""The story of runs in HCP Terraform, where there is nothing but busybox and terraform, with the
provider from a signed registry. Minutes, and root for the chroots: `pytest -m soak tests/release`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hcp import modelled
from hcp.bare import HOME, Environments, workspace
from hcp.loopback import alone, inside
from hcp.story import Told
from hcp.watched import WatchedRuns
from hcp.workspace import OUTPUT

from rpool_release.layouts import Release

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

LOOK = f"""
echo >{HOME}/mine && echo home can be written
command -v python3 python apk apt && echo there is more
echo *
cd /tmp && echo *
"""


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    """A network with the registry and the state, and nothing else."""
    with alone() as network:
        yield network


@pytest.fixture(scope="module")
def environments(
    tools: Path, certificate: Path, network: str, tmp_path_factory: pytest.TempPathFactory
) -> Environments:
    kept = tmp_path_factory.mktemp("servers")
    return Environments(tools / "busybox", certificate, kept, inside(network))


@pytest.fixture(scope="module")
def told(made: Release, environments: Environments, network: str) -> Iterator[Told]:
    variables = modelled.VARIABLES
    with workspace(made, environments, modelled.configuration, variables, network) as hcp:
        yield modelled.told(hcp, environments.kept)


class TestRuns(WatchedRuns):
    def test_each_environment_was_another_user_s(
        self, told: Told, environments: Environments
    ) -> None:
        phases = environments.used
        assert len(set(phases)) == len(phases) == len(told.workspace.init_seconds)


def test_an_environment_has_nothing_of_the_one_before(environments: Environments) -> None:
    with environments() as first:
        (first.work / "left").write_text("something")
        process = first.start_any("sh", "-c", "echo >/tmp/left")
        assert process.wait() == 0
    with environments() as second:
        second.start_any("sh", "-c", LOOK).wait()
        printed = (second.work / OUTPUT).read_text()
    assert printed.splitlines()[-2:] == [OUTPUT, "*"], printed
    assert "home can be written" not in printed
    assert "there is more" not in printed
