"""The Terraforms and OpenTofus that rpool is tested with: the machine's own, or built here.

What is built comes from the Go modules that their authors publish. Of Terraform these lack the
state backends that are modules of their own, so that it is no official binary.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
from pathlib import Path

from lab.cache import Cache, locked
from lab.command import run
from lab.packages import programs
from lab.packages.go_modules import Program

_BACKEND = """package PACKAGE

import "github.com/hashicorp/terraform/internal/backend"

func New() backend.Backend { panic("PACKAGE is not in this build") }
"""


def _terraform(version: str) -> Program:
    module = "github.com/hashicorp/terraform"
    stamps = {f"{module}/version.dev": "no"}
    return Program("terraform", module, version, {"terraform": ""}, stamps, stub=_BACKEND)


def _opentofu(version: str) -> Program:
    module = "github.com/opentofu/opentofu"
    stamps = {f"{module}/version.dev": "no"}
    return Program("opentofu", module, version, {"tofu": "cmd/tofu"}, stamps)


EVERY = (_terraform("1.11.4"), _terraform("1.13.3"), _opentofu("1.12.6"))
"""The first is for everyday use. The newest of both that are served as modules are here."""


def terraform(cache: Cache) -> str:
    """The command to run: `terraform` or `tofu` from PATH, else the first of EVERY, built."""
    return there(cache) or _built(cache, EVERY[0])


def there(cache: Cache) -> str | None:
    """The command that `terraform` returns; None where it would have to be built."""
    built = _command(cache.programs / EVERY[0].key, EVERY[0])
    return _on_path() or (str(built) if built.exists() else None)


def every(cache: Cache) -> list[str]:
    """A command for each of EVERY, in that order: the one on PATH where the version is the same."""
    on_path = _on_path()
    key = _key(on_path) if on_path else ""
    return [
        on_path if on_path and program.key == key else _built(cache, program) for program in EVERY
    ]


@functools.cache
def version(command: str) -> tuple[int, int]:
    """(1, 12) of Terraform 1.12.2, and of OpenTofu 1.12.6: they count alike."""
    major, minor, _ = _version_of(command).split(".", 2)
    return int(major), int(minor)


def _on_path() -> str | None:
    return shutil.which("terraform") or shutil.which("tofu")


def _key(command: str) -> str:
    name = "opentofu" if Path(command).name == "tofu" else "terraform"
    return f"{name}-{_version_of(command)}"


def _version_of(command: str) -> str:
    # A warning that the CLI configuration is not there would be printed before the JSON.
    text = run(command, "version", "-json", env={"TF_CLI_CONFIG_FILE": os.devnull})
    answer: str = json.loads(text)["terraform_version"]
    return answer


def _built(cache: Cache, program: Program) -> str:
    """The program's command, built under a lock of its own: no lab waits minutes for this."""
    with locked(cache, "terraform.lock"):
        folder = programs.built(cache, program)
    return str(_command(folder, program))


def _command(folder: Path, program: Program) -> Path:
    (name,) = program.binaries
    return folder / name
