"""A folder with a Terraform configuration, and the real Terraform run in it."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab.cache import default_cache
from lab.terraform import there

from protocol.plugin_process import simulated
from protocol.site_config import hcl, site

CLUSTER = "rpool_cluster.batch"


def found_terraform() -> str | None:
    return os.environ.get("RPOOL_TERRAFORM") or there(default_cache())


def terraform() -> str:
    """The program to test with: RPOOL_TERRAFORM, or that of the machine (`lab/terraform.py`)."""
    program = found_terraform()
    if not program:
        pytest.fail(
            "these tests need terraform or tofu on PATH, or its path in RPOOL_TERRAFORM; "
            "`python -m lab terraform` builds one"
        )
    return program


def is_opentofu() -> bool:
    return Path(found_terraform() or "").name == "tofu"


def unpacked(plan: Path) -> str:
    """The content of a saved plan, which is a compressed zip file."""
    with zipfile.ZipFile(plan) as archive:
        return "\n".join(archive.read(name).decode(errors="replace") for name in archive.namelist())


@dataclass(frozen=True)
class Ran:
    status: int
    output: str

    def __contains__(self, text: str) -> bool:
        """Whether the output has `text`, wherever Terraform broke its lines."""
        return text in " ".join(self.output.replace("│", " ").split())


class Workspace:
    """`world_file` holds the modelled servers (see simulated_provider). `provider` is the command
    of another provider than that one.
    """

    def __init__(self, folder: Path, world_file: Path, provider: Sequence[str] = ()) -> None:
        self.folder = folder
        self.world_file = world_file
        self._provider = provider or simulated(world_file)
        self._program = terraform()
        self._environment = os.environ | {"TF_CLI_CONFIG_FILE": str(self._override())}

    def run_by(self, program: str) -> Workspace:
        """The same folder, with another program than `terraform()`."""
        other = copy(self)
        other._program = program
        return other

    def _override(self) -> Path:
        binary = self.folder / "bin/terraform-provider-rpool"
        binary.parent.mkdir()
        command = " ".join(f"'{part}'" for part in self._provider)
        binary.write_text(f"#!/bin/sh\nexec {command}\n")
        binary.chmod(0o755)
        settings = self.folder / "terraformrc"
        override = f'dev_overrides {{ "resource-pool/rpool" = "{binary.parent}" }}'
        settings.write_text(f"provider_installation {{\n {override}\n direct {{}}\n}}\n")
        return settings

    def write(self, *, more: str = "", site_values: Any = None, **clusters: Any) -> None:
        text = hcl(site() if site_values is None else site_values, more, **clusters)
        (self.folder / "main.tf").write_text(text)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._program, *arguments],
            cwd=self.folder,
            env=self._environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> Ran:
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=200)
        return Ran(process.returncode, output)

    def errors(self) -> list[Any]:
        """What `terraform validate` finds wrong."""
        diagnostics = json.loads(self.run("validate", "-json").output)["diagnostics"]
        return [diagnostic for diagnostic in diagnostics if diagnostic["severity"] == "error"]

    def plan(self, *more: str) -> Ran:
        return self.run("plan", "-no-color", "-input=false", "-detailed-exitcode", *more)

    def apply(self, *more: str) -> Ran:
        return self.run("apply", "-no-color", "-input=false", "-auto-approve", *more)

    def destroy(self, *more: str) -> Ran:
        return self.run("destroy", "-no-color", "-input=false", "-auto-approve", *more)

    def left_behind(self, **environment: str) -> dict[str, str]:
        """All texts that a plan leaves that is saved, shown and applied, but for the servers'."""
        log = self.folder / "log"
        given = {"TF_LOG": "TRACE", "TF_LOG_PATH": str(log), **environment}
        planned = self.run("plan", "-no-color", "-out=plan", **given)
        shown = self.run("show", "-json", "plan")
        applied = self.run("apply", "-no-color", "plan", **given)
        assert (planned.status, shown.status, applied.status) == (0, 0, 0), applied.output
        texts = {
            "output": planned.output + applied.output,
            "log": log.read_text(),
            "state": (self.folder / "terraform.tfstate").read_text(),
            "saved plan": unpacked(self.folder / "plan"),
            "saved plan in JSON": shown.output,
        }
        assert all(texts.values()), "something that should have been looked at was empty"
        return texts

    def actions(self, *more: str) -> dict[str, Sequence[str]]:
        """What a plan would do, by address."""
        assert self.run("plan", "-input=false", "-out=plan", *more).status == 0
        plan = json.loads(self.run("show", "-json", "plan").output)
        return {c["address"]: c["change"]["actions"] for c in plan["resource_changes"]}

    def state(self, address: str = CLUSTER) -> Any:
        """The instance of a resource in the state file; None when there is none."""
        file = self.folder / "terraform.tfstate"
        resources = json.loads(file.read_text())["resources"] if file.exists() else []
        matching = [r for r in resources if f"{r['type']}.{r['name']}" == address]
        return matching[0]["instances"][0] if matching else None
