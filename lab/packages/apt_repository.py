"""Writes flat apt repositories, signed with the lab's own key, as upstream's are with theirs."""

from __future__ import annotations

import hashlib
from email.utils import formatdate
from pathlib import Path

from lab.cache import Cache, write
from lab.command import run

SIGNER = "rpool lab <lab@rpool.invalid>"


def publish(cache: Cache, folder: Path, origin: str) -> None:
    """Index the .deb files in the folder: Packages, Release, InRelease, Release.key."""
    stanzas = [_stanza(path) for path in sorted(folder.glob("*.deb"))]
    write(folder / "Packages", "\n".join(stanzas))
    release = _release(folder, origin)
    write(folder / "Release", release)
    write(folder / "Release.key", public_key(cache))
    write(folder / "InRelease", _signed(cache, release))


def public_key(cache: Cache) -> str:
    """The signing key, in ASCII armour."""
    return _gpg(cache, "--armor", "--export")


def fingerprint(cache: Cache) -> str:
    """The fingerprint of the signing key."""
    lines = _gpg(cache, "--with-colons", "--fingerprint").splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


def _stanza(deb: Path) -> str:
    control = run("dpkg-deb", "--field", deb).rstrip("\n")
    data = deb.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return f"{control}\nFilename: ./{deb.name}\nSize: {len(data)}\nSHA256: {digest}\n"


def _release(folder: Path, origin: str) -> str:
    index = (folder / "Packages").read_bytes()
    return (
        f"Origin: {origin}\n"
        f"Label: {origin}\n"
        "Architectures: amd64\n"
        f"Date: {formatdate(usegmt=True)}\n"
        "SHA256:\n"
        f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    )


def _signed(cache: Cache, text: str) -> str:
    return _gpg(cache, "--clearsign", "--digest-algo", "SHA256", stdin=text.encode())


def _gpg(cache: Cache, *words: str, stdin: bytes | None = None) -> str:
    home = cache.root / "gnupg"
    if not home.is_dir():
        _make_key(home)
    try:
        return run("gpg", "--homedir", home, "--batch", "--yes", *words, stdin=stdin)
    finally:  # the agent that gpg started
        run("gpgconf", "--homedir", home, "--kill", "gpg-agent")


def _make_key(home: Path) -> None:
    unfinished = home.with_name("gnupg.unfinished")
    run("rm", "-rf", unfinished)
    unfinished.mkdir(mode=0o700, parents=True)
    words = ("--passphrase", "", "--quick-generate-key", SIGNER, "rsa3072", "sign", "never")
    try:
        run("gpg", "--homedir", unfinished, "--batch", *words)
    finally:
        run("gpgconf", "--homedir", unfinished, "--kill", "gpg-agent")
    unfinished.rename(home)
