"""A small release, and a key that is thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from release import built
from release.bare import HOST
from release.served import certify
from rpool_release import archive, build
from rpool_release.checksums import SigningKey
from rpool_release.layouts import Release

PLATFORMS = ("linux_amd64", "linux_arm64")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningKey]:
    with built.throwaway_key(tmp_path_factory.mktemp("gnupg")) as key:
        yield key


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Release:
    """A whole release, for all platforms."""
    return built.release(tmp_path_factory.mktemp("dist"), key)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built.tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certify(HOST, tmp_path_factory.mktemp("tls") / "both.pem")


def fill(tree: Path) -> Path:
    """A folder such as an archive has, but for its size."""
    (tree / "lib/python3").mkdir(parents=True)
    (tree / "bin").mkdir()
    (tree / "terraform-provider-rpool_v0.1.0").write_text("#!/bin/sh\n")
    (tree / "bin/rpool").write_text("#!/bin/sh\n")
    (tree / "lib/python3/a.pyc").write_bytes(b"\0code")
    for program in ("terraform-provider-rpool_v0.1.0", "bin/rpool"):
        (tree / program).chmod(0o755)
    return tree


def released(folder: Path, version: str, key: SigningKey | None) -> Release:
    """A release of small archives, in this folder."""
    made = Release(version, folder, PLATFORMS)
    folder.mkdir(exist_ok=True)
    for platform in PLATFORMS:
        tree = fill(folder.parent / f"{version}-{platform}")
        (tree / "lib/platform").write_text(platform)
        made.archive(platform).unlink(missing_ok=True)
        archive.write(tree, made.archive(platform), 1_800_000_000)
    build.publish(made, key)
    return made
