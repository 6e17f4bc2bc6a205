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
"""The first is that of every day. Of both the newest is here that is served as a module."""


def terraform(cache: Cache) -> str:
    """The command to run: `terraform` or `tofu` from PATH, else the first of EVERY, built."""
    return there(cache) or _built(cache, EVERY[0])


def there(cache: Cache) -> str | None:
    """That command; None where it would have to be built."""
    built = _command(cache.programs / EVERY[0].key, EVERY[0])
    return _on_path() or (str(built) if built.exists() else None)


def every(cache: Cache) -> list[str]:
    """A command for each of EVERY, in that order: that of PATH where it is of that version."""
    found = _on_path()
    ours = _key(found) if found else ""
    return [found if found and its.key == ours else _built(cache, its) for its in EVERY]


@functools.cache
def version(command: str) -> tuple[int, int]:
    """(1, 12) of Terraform 1.12.2, and of OpenTofu 1.12.6: they count alike."""
    major, minor, _ = _told(command).split(".", 2)
    return int(major), int(minor)


def _on_path() -> str | None:
    return shutil.which("terraform") or shutil.which("tofu")


def _key(command: str) -> str:
    name = "opentofu" if Path(command).name == "tofu" else "terraform"
    return f"{name}-{_told(command)}"


def _told(command: str) -> str:
    # A CLI configuration that is not there is told before the JSON.
    text = run(command, "version", "-json", env={"TF_CLI_CONFIG_FILE": os.devnull})
    told: str = json.loads(text)["terraform_version"]
    return told


def _built(cache: Cache, its: Program) -> str:
    """It has a lock of its own: a lab need not wait for minutes of this."""
    with locked(cache, "terraform.lock"):
        folder = programs.built(cache, its)
    return str(_command(folder, its))


def _command(folder: Path, its: Program) -> Path:
    (name,) = its.binaries
    return folder / name
