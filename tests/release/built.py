"""A release that was built for real, and what it takes to try it: minutes at first."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab.cache import user_cache
from lab.command import run

from rpool_release import build, debian
from rpool_release.checksums import SigningKey
from rpool_release.layouts import Release
from rpool_release.tree import PLATFORMS

EPOCH = 1_800_000_000


def release(folder: Path, key: SigningKey | None, *platforms: str) -> Release:
    """A release for all platforms, unless some are named."""
    return build.release(folder, platforms or list(PLATFORMS), EPOCH, key)


@contextmanager
def throwaway_key(home: Path) -> Iterator[SigningKey]:
    """A key in a keyring of its own, which `gpg` finds by the environment, as it finds a user's."""
    home.chmod(0o700)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GNUPGHOME", str(home))
        yield generated("rpool's tests <tests@rpool.invalid>", "rsa3072")
        subprocess.run(["gpgconf", "--kill", "all"], check=True)


def generated(name: str, algorithm: str) -> SigningKey:
    """A new key of that name in the keyring."""
    words = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", name]
    subprocess.run([*words, algorithm, "sign"], check=True, capture_output=True)
    return SigningKey(name)


def tools(folder: Path) -> Path:
    """busybox, and qemu for other processors, from Debian."""
    packages = debian.read_lock(build.LOCK, "amd64", build.TEST_PACKAGES)
    for file in debian.fetch(packages, user_cache("rpool-release").root / "debian"):
        run("dpkg-deb", "--extract", file, folder)
    return folder / "usr/bin"


def unpack(archive: Path, to: Path) -> Path:
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            Path(packed.extract(entry, to)).chmod(entry.external_attr >> 16 & 0o777)
    return to
