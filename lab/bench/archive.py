"""A release beside the checkout: how long until there is a cluster of modelled servers."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.command import run
from lab.progress import say
from rpool_release import build
from rpool_release.tree import CHECKOUT

ROUNDS = 5
SETTINGS = 'provider_installation {{\n  filesystem_mirror {{\n    path = "{}/mirror"\n  }}\n}}\n'


def main(binary: str, handshake: Callable[[Path], None], elsewhere: Callable[[Path], None]) -> None:
    """Print both times and their ratio.

    `handshake` prints the time to the handshake of a launcher, `elsewhere` that of a release on a
    system that has nothing else.
    """
    say("a release, installed and used")
    with tempfile.TemporaryDirectory(prefix="rpool-bench-") as name:
        folder = Path(name)
        platform = build.own_platform()
        made = build.release(folder / "dist", [platform], 0, None)
        settings = folder / "terraformrc"
        settings.write_text(SETTINGS.format(made.folder))
        checkout = CHECKOUT / "build/terraformrc"
        rounds = []
        for number in range(ROUNDS):
            ours = _Folder(binary, folder / f"archive-{number}", settings)
            theirs = _Folder(binary, folder / f"checkout-{number}", checkout)
            rounds.append((ours("init"), ours.cluster(), theirs.cluster()))
        installed = folder / "archive-0/.terraform/providers"
        (launcher,) = installed.rglob("terraform-provider-rpool_v*")
        handshake(launcher)
        elsewhere(made.folder)
    init, archive, source = (min(column) for column in zip(*rounds, strict=True))
    print(
        f"archive: init {init:.2f} s, plan and apply {archive:.2f} s; from the checkout "
        f"{source:.2f} s, ratio {archive / source:.2f} (least of {ROUNDS})"
    )


class _Folder:
    """A configuration of the simulated example; calling it runs Terraform, and returns seconds."""

    def __init__(self, binary: str, folder: Path, settings: Path) -> None:
        self._binary, self._folder, self._settings = binary, folder, settings
        folder.mkdir()
        shutil.copyfile(CHECKOUT / "examples/terraform/simulated/main.tf", folder / "main.tf")

    def __call__(self, *words: str) -> float:
        began = time.perf_counter()
        settings = {"TF_CLI_CONFIG_FILE": str(self._settings)}
        run(self._binary, *words, env=settings, cwd=self._folder)
        return time.perf_counter() - began

    def cluster(self) -> float:
        return self("plan") + self("apply", "-auto-approve")
