"""Folders from which Terraform installs a release: a mirror, read as files or served by any static
web server, and a private registry, served likewise. All URLs in them are relative.

A folder keeps the releases that it has: a new one is added, or replaces the same version.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpool_release.checksums import SigningKey, hashes, sha256

SOURCE = "resource-pool/rpool"
TYPE = "rpool"
PROTOCOLS = ["6.0"]
HOSTS = ("registry.terraform.io", "registry.opentofu.org")
"""What `source = "resource-pool/rpool"` means: a mirror stands in for these registries."""

MANIFEST = {"version": 1, "metadata": {"protocol_versions": PROTOCOLS}}


@dataclass(frozen=True)
class Release:
    """The files of one version, all in one folder."""

    version: str
    folder: Path
    platforms: tuple[str, ...]

    def file(self, what: str) -> Path:
        return self.folder / f"terraform-provider-{TYPE}_{self.version}_{what}"

    def archive(self, platform: str) -> Path:
        return self.file(f"{platform}.zip")

    @property
    def manifest(self) -> Path:
        return self.file("manifest.json")

    @property
    def sums(self) -> Path:
        return self.file("SHA256SUMS")

    @property
    def signature(self) -> Path:
        return self.file("SHA256SUMS.sig")


def mirror(release: Release, root: Path) -> None:
    """Lays out a mirror as `terraform providers mirror` does: usable as a filesystem_mirror, and as
    a network_mirror behind https.
    """
    archives = {
        platform: {
            "url": release.archive(platform).name,
            "hashes": hashes(release.archive(platform)),
        }
        for platform in release.platforms
    }
    for host in HOSTS:
        folder = root / host / SOURCE
        folder.mkdir(parents=True, exist_ok=True)
        for platform in release.platforms:
            _link(release.archive(platform), folder)
        known = _read(folder / "index.json", {"versions": {}})["versions"]
        _write(folder / "index.json", {"versions": known | {release.version: {}}})
        _write(folder / f"{release.version}.json", {"archives": archives})


def registry(release: Release, root: Path, key: SigningKey) -> None:
    """Lays out the answers of Terraform's provider registry protocol, one file per path."""
    _write(root / ".well-known/terraform.json", {"providers.v1": "/v1/providers/"})
    provider = root / "v1/providers" / SOURCE
    folder = provider / release.version
    folder.mkdir(parents=True, exist_ok=True)
    for file in (release.sums, release.signature, release.manifest):
        _link(file, folder)
    keys = [{"key_id": key.identifier, "ascii_armor": key.public}]
    for platform in release.platforms:
        _link(release.archive(platform), folder)
        system, _, architecture = platform.partition("_")
        answer = {
            "protocols": PROTOCOLS,
            "os": system,
            "arch": architecture,
            "filename": release.archive(platform).name,
            "download_url": f"../../{release.archive(platform).name}",
            "shasums_url": f"../../{release.sums.name}",
            "shasums_signature_url": f"../../{release.signature.name}",
            "shasum": sha256(release.archive(platform)),
            "signing_keys": {"gpg_public_keys": keys},
        }
        _write(folder / "download" / system / architecture, answer)
    _write(provider / "versions", {"versions": _versions(release, provider / "versions")})


def _versions(release: Release, file: Path) -> list[dict[str, Any]]:
    pairs = [platform.split("_") for platform in release.platforms]
    ours = {
        "version": release.version,
        "protocols": PROTOCOLS,
        "platforms": [{"os": system, "arch": architecture} for system, architecture in pairs],
    }
    known = _read(file, {"versions": []})["versions"]
    return [entry for entry in known if entry["version"] != release.version] + [ours]


def _read(file: Path, otherwise: Any) -> Any:
    return json.loads(file.read_text()) if file.exists() else otherwise


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n")


def _link(file: Path, folder: Path) -> None:
    """Makes a hard link: an archive has 40 MB."""
    (folder / file.name).unlink(missing_ok=True)
    os.link(file, folder / file.name)
