"""How long a system of busybox alone waits for the provider, beside the checkout's on this machine:
`PYTHONPATH=tests python -m hcp.timing RELEASE`, as root, with the folder of a release.

Prints the least of several: `terraform init` of a new environment, and from the start of the plugin
to its handshake.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from protocol.plugin_process import LAUNCHER, PluginProcess
from release import built
from release.bare import Bare

from hcp import modelled

ROUNDS, STARTS = 5, 4
SETTINGS = 'provider_installation {\n  filesystem_mirror {\n    path = "/mirror"\n  }\n}\n'


def main(release: Path) -> None:
    inits, ours, checkouts = [], [], []
    with tempfile.TemporaryDirectory(prefix="rpool-timing-") as name:
        busybox = built.tools(Path(name)) / "busybox"
        for number in range(ROUNDS):
            bare = _environment(Path(name) / str(number), busybox, release)
            inits.append(_init(bare))
            (launcher,) = (bare.work / ".terraform/providers").rglob("terraform-provider-rpool_v*")
            command = bare.command(f"/work/{launcher.relative_to(bare.work)}", mounts=False)
            for _ in range(STARTS):
                ours.append(_handshake(command))
                checkouts.append(_handshake([str(LAUNCHER)]))
            shutil.rmtree(bare.folder)
    archive, checkout = min(ours) * 1000, min(checkouts) * 1000
    print(
        f"a system of busybox alone: init {min(inits):.2f} s, exec to handshake {archive:.0f} ms; "
        f"of the checkout, here, {checkout:.0f} ms, ratio {archive / checkout:.2f} "
        f"(least of {ROUNDS} and {ROUNDS * STARTS})"
    )


def _environment(folder: Path, busybox: Path, release: Path) -> Bare:
    bare = Bare(folder, busybox)
    shutil.copytree(release / "mirror", folder / "mirror")
    (folder / "etc/terraformrc").write_text(SETTINGS)
    for name, content in modelled.configuration("resource-pool/rpool").items():
        (bare.work / name).write_bytes(content)
    (bare.work / "backend.tf").unlink()
    return bare


def _init(bare: Bare) -> float:
    begun = time.perf_counter()
    ran = bare.run("terraform", "init", TF_CLI_CONFIG_FILE="/etc/terraformrc")
    seconds = time.perf_counter() - begun
    if ran.status != 0:
        raise SystemExit(ran.output)
    return seconds


def _handshake(command: Sequence[str]) -> float:
    with PluginProcess(command, PATH="/bin:/usr/bin", TMPDIR="/tmp") as plugin:  # noqa: S108
        return plugin.handshake.seconds


if __name__ == "__main__":
    main(Path(sys.argv[1]))
