"""Whoever downloads a release can check it with the usual tools."""

from __future__ import annotations

import base64
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from lab.command import LabError

from release.built import generated
from release.conftest import released
from rpool_release import checksums
from rpool_release.checksums import SigningKey


def test_sha256sum_and_gpg_find_all_that_is_published_in_order(
    tmp_path: Path, key: SigningKey
) -> None:
    made = released(tmp_path / "out", "0.1.0", key)
    checked = subprocess.run(
        ["sha256sum", "--strict", "--check", made.sums.name],
        cwd=made.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    published = {made.archive(platform).name for platform in made.platforms} | {made.manifest.name}
    assert set(checked.stdout.split()) - {"OK"} == {f"{name}:" for name in published}
    subprocess.run(["gpg", "--batch", "--verify", made.signature, made.sums], check=True)


def test_the_signature_is_binary_and_of_no_other_text(tmp_path: Path, key: SigningKey) -> None:
    made = released(tmp_path / "out", "0.1.0", key)
    assert not made.signature.read_bytes().startswith(b"-----BEGIN")
    made.sums.write_text(made.sums.read_text().replace("0", "1"))
    words = ["gpg", "--batch", "--verify", str(made.signature), str(made.sums)]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1


@pytest.mark.usefixtures("key")
def test_a_key_that_no_registry_takes_is_refused() -> None:
    with pytest.raises(LabError, match="neither an RSA nor a DSA key"):
        _ = generated("curve@rpool.invalid", "ed25519").identifier


def test_the_manifest_names_the_plugin_protocol(tmp_path: Path) -> None:
    made = released(tmp_path / "out", "0.1.0", None)
    assert json.loads(made.manifest.read_text()) == {
        "version": 1,
        "metadata": {"protocol_versions": ["6.0"]},
    }


def test_the_digest_of_the_content_is_that_of_the_digests_of_its_files(tmp_path: Path) -> None:
    """Of a sorted list as sha256sum prints it: what Terraform calls h1."""
    with zipfile.ZipFile(tmp_path / "zip", "w") as packed:
        packed.writestr("b", "two\n")
        packed.writestr("a", "one\n")
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two\n")
    command = "sha256sum a b | sha256sum | cut -d' ' -f1"
    listed = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    digest = base64.b64encode(bytes.fromhex(listed.stdout)).decode()
    assert checksums.hashes(tmp_path / "zip")[0] == f"h1:{digest}"
