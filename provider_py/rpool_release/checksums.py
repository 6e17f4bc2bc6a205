"""What the archives of a release are verified by: their digests, a signature of these, and
Terraform's own digest of an archive's content.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.command import LabError, run

_TAKEN = ("1", "17")
"""RSA and DSA, as GPG numbers them."""


@dataclass(frozen=True)
class SigningKey:
    """A key in the caller's GPG keyring."""

    name: str

    def sign(self, file: Path) -> Path:
        """Writes the detached binary signature beside the file; returns its path."""
        signature = file.with_name(file.name + ".sig")
        signature.unlink(missing_ok=True)
        run("gpg", "--batch", "--local-user", self.name, "--output", signature,
            "--detach-sign", file)  # fmt: skip
        return signature

    @property
    def identifier(self) -> str:
        """The last 16 hexadecimal digits of the key's fingerprint, by which registries name it.

        Raises LabError for a key that they do not accept.
        """
        listed = run("gpg", "--batch", "--with-colons", "--list-keys", self.name)
        keys = [line.split(":") for line in listed.splitlines() if line.startswith("pub:")]
        _, _, _, algorithm, identifier, *_ = keys[0]
        if algorithm not in _TAKEN:
            raise LabError(
                f"{self.name} is neither an RSA nor a DSA key, and registries take no other"
            )
        return identifier

    @property
    def public(self) -> str:
        return run("gpg", "--batch", "--armor", "--export", self.name)


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sums(files: Iterable[Path]) -> str:
    """The text of a SHA256SUMS file."""
    return "".join(f"{sha256(file)}  {file.name}\n" for file in sorted(files))


def hashes(archive: Path) -> list[str]:
    """An archive's hashes in Terraform's lock file: of the content (h1) and of the zip (zh)."""
    with zipfile.ZipFile(archive) as packed:
        lines = [
            f"{hashlib.sha256(packed.read(name)).hexdigest()}  {name}\n"
            for name in sorted(packed.namelist())
        ]
    content = base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()
    return [f"h1:{content}", f"zh:{sha256(archive)}"]
