"""Builds a release: an archive per platform, checksums and a signature, and folders to serve."""

from __future__ import annotations

import json
import platform as machine
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.cache import Cache, locked, made, user_cache
from lab.command import LabError, run
from lab.progress import say, step

from rpool_release import archive, checksums, debian, layouts, tree, wheels
from rpool_release.checksums import SigningKey
from rpool_release.layouts import Release
from rpool_release.tree import CHECKOUT, HERE, PLATFORMS, Platform

LOCK = HERE / "debian.lock"
REQUIREMENTS = CHECKOUT / "requirements.lock"
PYPROJECT = CHECKOUT / "pyproject.toml"

PACKAGES = (
    "python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib",
    "libc6", "libc-bin", "libgcc-s1", "libstdc++6", "libssl3t64", "libffi8", "zlib1g",
    "libzstd1", "libbz2-1.0", "liblzma5", "libexpat1", "libuuid1",
)  # fmt: skip
"""Debian packages in the archives."""

TEST_PACKAGES = ("busybox-static", "qemu-user")
"""Debian packages to test archives: a system without Python or C library, and emulators."""


def version() -> str:
    """The one version number, of the package, the archives and the provider."""
    return str(tomllib.loads(PYPROJECT.read_text())["project"]["version"])


def own_platform() -> str:
    """The platform of this machine. Raises LabError where no archive is made for it."""
    for name, platform in PLATFORMS.items():
        if platform.machine == machine.machine():
            return name
    raise LabError(f"a release can be built on {', '.join(PLATFORMS)}, not on {machine.machine()}")


def release(
    out: Path, platforms: Sequence[str], epoch_seconds: int, key: SigningKey | None
) -> Release:
    """Builds all of a release into `out`."""
    result = Release(version(), out, tuple(platforms))
    out.mkdir(parents=True, exist_ok=True)
    with locked(user_cache("rpool-release")), trees(platforms) as folders:
        python = folders[own_platform()] / "bin/python3"
        for name in platforms:
            archive_file = result.archive(name)
            with step(f"packing {archive_file.name}"):
                archive_file.unlink(missing_ok=True)
                run(python, archive.__file__, folders[name], archive_file, str(epoch_seconds))
    publish(result, key)
    return result


def publish(release: Release, key: SigningKey | None) -> None:
    """Writes what goes with a release's archives; without a key, no signature and no registry."""
    release.manifest.write_text(json.dumps(layouts.MANIFEST, indent=2) + "\n")
    archives = [release.archive(name) for name in release.platforms]
    release.sums.write_text(checksums.sums([*archives, release.manifest]))
    layouts.mirror(release, release.folder / "mirror")
    if key is None:
        say(
            "no KEY was given: nothing is signed, and there is no registry, which wants a signature"
        )
        return
    key.sign(release.sums)
    layouts.registry(release, release.folder / "registry", key)


@contextmanager
def trees(platforms: Sequence[str]) -> Iterator[dict[str, Path]]:
    """The folders that become the archives; they are removed at the end.

    This machine's platform is always among them: its Python compiles the modules of all.
    """
    with tempfile.TemporaryDirectory(prefix="rpool-release-") as scratch:
        folders = {name: Path(scratch) / name / "tree" for name in {own_platform(), *platforms}}
        for name, folder in sorted(folders.items()):
            with step(f"putting {name} together"):
                _assemble(folder, PLATFORMS[name])
        python = folders[own_platform()] / "bin/python3"
        for name, folder in sorted(folders.items()):
            with step(f"compiling modules of {name}"):
                tree.compile_all(folder, python)
        used = tree.used_early(python)
        for folder in folders.values():
            tree.zip_rest(folder, used)
        yield folders


def _assemble(folder: Path, platform: Platform) -> None:
    cache = user_cache("rpool-release")
    packages = debian.read_lock(LOCK, platform.debian, PACKAGES)
    system = folder.parent / "debian"
    system.mkdir(parents=True)
    for file in debian.fetch(packages, cache.root / "debian"):
        run("dpkg-deb", "--extract", file, system)
    requirements, installed = _wheels(cache, platform)
    tree.assemble(folder, platform, version(), system, installed)
    tree.licenses(folder, system, packages, requirements)


def _wheels(cache: Cache, platform: Platform) -> tuple[str, Path]:
    environment = wheels.target(platform.machine)
    names = wheels.needed(PYPROJECT, environment)
    requirements = wheels.locked(REQUIREMENTS.read_text(), names, environment)
    folder = cache.root / "wheels" / wheels.key(requirements, platform.machine)
    return requirements, made(
        folder,
        f"fetching the wheels of {platform.terraform}",
        lambda into: wheels.install(requirements, platform.machine, into),
    )


def lock() -> None:
    """Locks the packages that Debian serves now."""
    packages = [
        package
        for platform in PLATFORMS.values()
        for package in debian.newest(platform.debian, [*PACKAGES, *TEST_PACKAGES])
    ]
    LOCK.write_text("".join(package.line for package in sorted(packages)))
