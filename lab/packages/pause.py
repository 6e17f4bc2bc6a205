"""Builds the program that holds a pod's namespaces: one C file in the Kubernetes module."""

from __future__ import annotations

from pathlib import Path

from lab.cache import Cache, made
from lab.command import run
from lab.packages import go_modules
from lab.versions import Release


def pause(cache: Cache, release: Release) -> Path:
    """The folder with the `pause` binary."""

    def build(folder: Path) -> None:
        module = go_modules.download(
            "k8s.io/kubernetes", release.kubernetes, go_modules.ENVIRONMENT
        )
        source = module.folder / "build/pause/linux/pause.c"
        stamp = f"-DVERSION=v{release.pause}"
        run("gcc", "-Os", "-Wall", "-static", stamp, "-o", folder / "pause", source)

    return made(cache.programs / f"pause-{release.pause}", f"building pause {release.pause}", build)
