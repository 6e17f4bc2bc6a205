"""The story's site where servers are modelled: the example for HCP Terraform, with `simulated` set.

Its servers are in a file of the folder that Terraform runs in. Like real ones they outlive a run;
nothing else there does.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.plugin_process import CHECKOUT
from protocol.site_config import PRIVATE_KEY
from protocol.step_log import has_said

from hcp.story import Told
from hcp.workspace import LOG, OUTPUT, Moment, Workspace
from rpool.model.event import Result
from rpool.simulate import FILE_NAME
from rpool.simulate.store import Store

EXAMPLE = CHECKOUT / "examples/terraform/hcp-terraform"
SOURCE = "app.terraform.io/acme/rpool"
BACKEND = b'terraform {\n  backend "http" {}\n}\n'
VARIABLES = {"TF_VAR_simulated": "true", "TF_VAR_ssh_key": PRIVATE_KEY}
_SERVERS = f"{Path(FILE_NAME).stem}."
PAUSE_SECONDS = 0.005


@dataclass(frozen=True)
class ToldOfModelled(Told):
    """`folder` has the modelled servers, seen from here."""

    folder: Path


def configuration(source: str) -> dict[str, bytes]:
    """The example, with its provider from there, and its state by the `http` backend."""
    files = {path.name: path.read_bytes() for path in EXAMPLE.iterdir() if path.is_file()}
    assert SOURCE.encode() in files["main.tf"]
    files["main.tf"] = files["main.tf"].replace(SOURCE.encode(), source.encode())
    return {name: files[name] for name in ("main.tf", "variables.tf", "fleet.yaml")} | {
        "backend.tf": BACKEND
    }


def told(workspace: Workspace, work: Path) -> ToldOfModelled:
    return ToldOfModelled(
        workspace,
        claims=lambda: claims(work),
        killed_at=moment("init *", Result.DONE),
        cancelled_at=moment("join *", Result.STARTED),
        grown={"TF_VAR_cores": "48"},
        secret=PRIVATE_KEY.splitlines()[1],
        folder=work,
    )


def emptied(work: Path) -> None:
    """Remove all but the servers: so a new environment finds the folder."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.startswith(_SERVERS):
            path.unlink()


def claims(work: Path) -> dict[str, dict[str, Any]]:
    with closing(Store(work / FILE_NAME)) as store:
        machines = store.load() or {}
    return {
        name: dict(machine.claim.as_dict()) for name, machine in machines.items() if machine.claim
    }


def moment(step: str, outcome: Result) -> Moment:
    """When a step has that outcome. The run stands still in it: it waits for its servers."""

    @contextmanager
    def reached(work: Path, process: subprocess.Popen[bytes]) -> Iterator[None]:
        while True:
            try:
                process.wait(PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                if not (work / FILE_NAME).exists():
                    continue
            with closing(Store(work / FILE_NAME)) as store, store.alone():
                printed = (work / OUTPUT).read_text()
                assert process.poll() is None, f"it ended before {step} {outcome}:\n{printed}"
                if has_said(work / LOG, step, outcome):
                    yield
                    return

    return reached
