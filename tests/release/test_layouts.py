"""What a static web server serves of a release is what Terraform's protocols say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from release.conftest import PLATFORMS, released
from rpool_release import build
from rpool_release.checksums import SigningKey, hashes, sha256

REGISTRY = "v1/providers/resource-pool/rpool"


def read(file: Path) -> Any:
    return json.loads(file.read_text())


@pytest.mark.parametrize("host", ["registry.terraform.io", "registry.opentofu.org"])
def test_a_mirror_has_an_index_and_the_archives_that_it_names(tmp_path: Path, host: str) -> None:
    made = released(tmp_path / "out", "0.1.0", None)
    folder = made.folder / "mirror" / host / "resource-pool/rpool"
    assert read(folder / "index.json") == {"versions": {"0.1.0": {}}}
    archives = read(folder / "0.1.0.json")["archives"]
    assert set(archives) == set(PLATFORMS)
    for platform, entry in archives.items():
        assert entry["url"] == f"terraform-provider-rpool_0.1.0_{platform}.zip"
        assert entry["hashes"] == hashes(folder / entry["url"])


def test_a_registry_answers_at_each_path_of_its_protocol(tmp_path: Path, key: SigningKey) -> None:
    made = released(tmp_path / "out", "0.1.0", key)
    root = made.folder / "registry"
    assert read(root / ".well-known/terraform.json") == {"providers.v1": "/v1/providers/"}
    (version,) = read(root / REGISTRY / "versions")["versions"]
    assert (version["version"], version["protocols"]) == ("0.1.0", ["6.0"])
    for platform in version["platforms"]:
        path = f"{REGISTRY}/0.1.0/download/{platform['os']}/{platform['arch']}"
        answer = read(root / path)
        base = f"https://registry.example/{path}"
        for name in ("download_url", "shasums_url", "shasums_signature_url"):
            address = urljoin(base, answer[name])
            assert (root / address.removeprefix("https://registry.example/")).is_file(), name
        archive = root / REGISTRY / "0.1.0" / answer["filename"]
        assert answer["shasum"] == sha256(archive)
        (public,) = answer["signing_keys"]["gpg_public_keys"]
        assert public["ascii_armor"].startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
        assert len(public["key_id"]) == 16


def test_releases_that_are_there_stay_and_the_same_version_is_exchanged(
    tmp_path: Path, key: SigningKey
) -> None:
    released(tmp_path / "out", "0.1.0", key)
    made = released(tmp_path / "out", "0.2.0", key)
    build.publish(made, key)
    mirror = tmp_path / "out/mirror/registry.terraform.io/resource-pool/rpool"
    assert read(mirror / "index.json")["versions"] == {"0.1.0": {}, "0.2.0": {}}
    versions = read(tmp_path / "out/registry" / REGISTRY / "versions")["versions"]
    assert [entry["version"] for entry in versions] == ["0.1.0", "0.2.0"]


def test_without_a_key_there_is_no_registry(tmp_path: Path) -> None:
    made = released(tmp_path / "out", "0.1.0", None)
    assert not made.signature.exists()
    assert not (made.folder / "registry").exists()
