"""Images are stored as a registry and a container engine expect them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from lab.packages.image import Image, Storage, layer
from lab.packages.manifests import images_in, split_reference


def _stored(root: Path, digest: str) -> bytes:
    name = digest.removeprefix("sha256:")
    return (root / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data").read_bytes()


def _pushed(tmp_path: Path) -> Storage:
    program = tmp_path / "program"
    program.write_bytes(b"binary")
    program.chmod(0o755)
    storage = Storage(tmp_path / "registry")
    storage.push(Image("team/app", "1", {"usr/bin/app": program}, ["/usr/bin/app"]))
    return storage


def test_a_pushed_image_can_be_walked_from_its_tag(tmp_path: Path) -> None:
    storage = _pushed(tmp_path)
    tag = storage.root / "docker/registry/v2/repositories/team/app/_manifests/tags/1/current/link"
    manifest = json.loads(_stored(storage.root, tag.read_text()))
    for part in [manifest["config"], *manifest["layers"]]:
        data = _stored(storage.root, part["digest"])
        assert len(data) == part["size"]
        assert "sha256:" + hashlib.sha256(data).hexdigest() == part["digest"]


def test_an_image_is_found_only_under_its_tag(tmp_path: Path) -> None:
    storage = _pushed(tmp_path)
    assert storage.has("team/app", "1")
    assert not storage.has("team/app", "2")


def test_programs_stay_executable_in_a_layer(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"binary")
    program.chmod(0o755)
    with tarfile.open(fileobj=io.BytesIO(layer({"usr/bin/app": program}))) as tar:
        assert tar.getmember("usr/bin/app").mode == 0o755


def test_the_same_files_make_the_same_layer(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"binary")
    assert layer({"app": program}) == layer({"app": program})


def test_references_lose_their_host_and_nothing_else() -> None:
    assert split_reference("registry.k8s.io/coredns/coredns:v1") == ("coredns/coredns", "v1")
    assert split_reference("rpool/hello:1") == ("rpool/hello", "1")


def test_every_image_line_of_a_manifest_counts() -> None:
    manifest = '      - image: ghcr.io/a/b:v1\n        image: "quay.io/c/d:v2"\n'
    assert images_in(manifest) == {("a/b", "v1"), ("c/d", "v2")}
