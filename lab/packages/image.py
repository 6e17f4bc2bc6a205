"""Puts OCI images together from files, and writes them into a registry's storage.

An image here is one binary on top of a small system, so no container engine is needed: a layer
is a tar file, and an image is two JSON documents. They go straight into the folders that the
registry serves from (distribution's "filesystem" driver), which takes no running registry.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.cache import write

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Image:
    """An image: its name without a host, its files, and what it runs.

    `files` maps a path in the image to a file here; `below` are whole layers under them.
    """

    repository: str
    tag: str
    files: Mapping[str, Path]
    entrypoint: Sequence[str] = ()
    below: Sequence[bytes] = field(default=())
    user: str = ""

    @property
    def name(self) -> str:
        return f"{self.repository}:{self.tag}"


def layer(files: Mapping[str, Path], links: Mapping[str, str] | None = None) -> bytes:
    """A tar file with the files (path in the image -> file here) and symbolic links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for target, destination in sorted((links or {}).items()):
            link = tarfile.TarInfo(target)
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, destination, 0o777
            tar.addfile(link)
        for folder in _folders(files):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for target, source in sorted(files.items()):
            data = source.read_bytes()
            entry = tarfile.TarInfo(target)
            entry.size, entry.mode = len(data), 0o755 if source.stat().st_mode & 0o100 else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _folders(files: Mapping[str, Path]) -> list[str]:
    parents = {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
    return sorted(parents | {"tmp", "etc", "proc", "sys", "dev", "run"})


@dataclass(frozen=True)
class Storage:
    """The folders of an image registry."""

    root: Path

    def has(self, repository: str, tag: str) -> bool:
        return (self._manifests(repository) / "tags" / tag / "current" / "link").exists()

    def push(self, image: Image) -> None:
        """Store the image; the tag comes last, so an interrupted push shows nothing."""
        layers = [*image.below, *([layer(image.files)] if image.files else [])]
        config = _json({
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Env": [f"PATH={PATH}"], "Entrypoint": list(image.entrypoint), "User": image.user,
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(data) for data in layers]},
        })  # fmt: skip
        manifest = _json({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": self._blob(image.repository, CONFIG_TYPE, config),
            "layers": [self._blob(image.repository, LAYER_TYPE, data) for data in layers],
        })  # fmt: skip
        self._tag(image.repository, image.tag, manifest)

    def _blob(self, repository: str, media_type: str, data: bytes) -> dict[str, str | int]:
        digest = self._store(data)
        hexadecimal = digest.removeprefix("sha256:")
        write(self._repository(repository) / "_layers/sha256" / hexadecimal / "link", digest)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def _tag(self, repository: str, tag: str, manifest: bytes) -> None:
        digest = self._store(manifest)
        hexadecimal = digest.removeprefix("sha256:")
        manifests = self._manifests(repository)
        write(manifests / "revisions/sha256" / hexadecimal / "link", digest)
        write(manifests / "tags" / tag / "index/sha256" / hexadecimal / "link", digest)
        write(manifests / "tags" / tag / "current/link", digest)

    def _store(self, data: bytes) -> str:
        digest = _digest(data)
        hexadecimal = digest.removeprefix("sha256:")
        blob = self._base / "blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"
        if not blob.exists():
            write(blob, data)
        return digest

    @property
    def _base(self) -> Path:
        return self.root / "docker/registry/v2"

    def _repository(self, repository: str) -> Path:
        return self._base / "repositories" / repository

    def _manifests(self, repository: str) -> Path:
        return self._repository(repository) / "_manifests"


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
