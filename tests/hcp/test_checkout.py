"""The story of runs in HCP Terraform with modelled servers and this checkout's provider, on this
machine as it is. In environments that have nothing: tests/release/test_hcp.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from protocol.plugin_process import LAUNCHER
from protocol.workspace import is_opentofu, terraform

from hcp import modelled
from hcp.loopback import listening
from hcp.state_server import State, kept
from hcp.watched import WatchedRuns
from hcp.workspace import OUTPUT, Workspace
from rpool_release import build

pytestmark = pytest.mark.skipif(is_opentofu(), reason="HCP Terraform runs Terraform")

SOURCE = "resource-pool/rpool"


@dataclass(frozen=True)
class Here:
    """This machine, in a folder that is emptied."""

    work: Path
    rc: Path

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        with (self.work / OUTPUT).open("w") as printed:
            return subprocess.Popen(
                [terraform(), *words],
                cwd=self.work,
                env=os.environ | {"TF_CLI_CONFIG_FILE": str(self.rc)} | variables,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )


def mirror(folder: Path) -> Path:
    """A CLI configuration by which `terraform init` installs this checkout's provider."""
    version, platform = build.version(), build.own_platform()
    target = folder / f"mirror/registry.terraform.io/{SOURCE}/{version}/{platform}"
    target.mkdir(parents=True)
    program = target / f"terraform-provider-rpool_v{version}"
    program.write_text(f"#!/bin/sh\nexec {LAUNCHER}\n")
    program.chmod(0o755)
    rc = folder / "terraformrc"
    installation = f'filesystem_mirror {{\n    path = "{folder}/mirror"\n  }}'
    rc.write_text(f"provider_installation {{\n  {installation}\n}}\n")
    return rc


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[modelled.ToldOfModelled]:
    work, rc = tmp_path_factory.mktemp("work"), mirror(tmp_path_factory.mktemp("provider"))

    @contextmanager
    def environment() -> Iterator[Here]:
        modelled.emptied(work)
        yield Here(work, rc)

    state = State()
    with kept(state, listening()) as address:
        files, variables = modelled.configuration(SOURCE), dict(modelled.VARIABLES)
        yield modelled.told(Workspace(files, variables, environment, state, address), work)


class TestRuns(WatchedRuns):
    pass
