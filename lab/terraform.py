"""Which Terraform a machine has: its own, or OpenTofu, built here from its Go module."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.cache import Cache, locked, made
from lab.command import run
from lab.packages.go_modules import ENVIRONMENT

MODULE = Path(__file__).parent / "opentofu"
OPENTOFU = "1.12.6"


def terraform(cache: Cache) -> str:
    """The command to run: `terraform` or `tofu` from PATH, else an OpenTofu out of the cache."""
    for name in ("terraform", "tofu"):
        if found := shutil.which(name):
            return found
    with locked(cache):
        folder = made(
            cache.programs / f"opentofu-{OPENTOFU}",
            f"building OpenTofu {OPENTOFU} (no terraform on this machine; about 10 minutes)",
            _build,
        )
    return str(folder / "tofu")


def _build(into: Path) -> None:
    run(
        "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{into}/tofu",
        "github.com/opentofu/opentofu/cmd/tofu",
        env={**ENVIRONMENT, "GOFLAGS": "-mod=readonly -buildvcs=false"}, cwd=MODULE,
    )  # fmt: skip
