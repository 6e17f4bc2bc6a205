"""SSH keys of a configuration: the one to log in with, and those that servers must present.

A key that cannot be used is an error of the configuration; the error shows no part of the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from rpool.errors import Problem, SpecError
from rpool.model.secret import Secret
from rpool.model.server import Server

_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


def load_private_key(secret: Secret) -> paramiko.PKey:
    """The key, in any of the formats that ssh-keygen and openssl write. Raises SpecError."""
    text = secret.reveal().strip() + "\n"
    key = _parse(text.encode())
    if isinstance(key, Ed25519PrivateKey):
        return paramiko.Ed25519Key.from_private_key(_openssh(key))
    if isinstance(key, RSAPrivateKey):
        return paramiko.RSAKey.from_private_key(_openssh(key))
    if isinstance(key, EllipticCurvePrivateKey):
        return paramiko.ECDSAKey.from_private_key(_openssh(key))
    raise _bad_key("is of a type that is not supported", "Use an ed25519, ECDSA or RSA key.")


def _openssh(key: Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey) -> io.StringIO:
    """The key in OpenSSH's format, the only one that paramiko reads for every type."""
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return io.StringIO(plain.decode())


def _parse(text: bytes) -> object:
    openssh = b"BEGIN OPENSSH PRIVATE KEY" in text
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        return load(text, password=None)
    except TypeError:
        raise _encrypted() from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if "password" in str(error).lower():
            raise _encrypted() from None
        raise _bad_key(
            "cannot be read", "Give the text of an OpenSSH or PEM private key, all lines of it."
        ) from None


def _encrypted() -> SpecError:
    return _bad_key("has a passphrase", "Give a key without one: nobody is there to type it.")


def _bad_key(predicate: str, advice: str) -> SpecError:
    return SpecError([Problem(("ssh", "private_key"), f"the SSH private key {predicate}", advice)])


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's declared host key."""

    kind: str
    blob: bytes

    @classmethod
    def of(cls, server: Server) -> HostKey:
        """Parses `type base64`, as in known_hosts and in /etc/ssh/*.pub (a comment may follow)."""
        try:
            kind, text = server.host_key.split()[:2]
            return cls(kind, base64.b64decode(text, validate=True))
        except (ValueError, binascii.Error):
            path = ("fleet", server.name, "host_key")
            summary = f"the host key of {server.name} is not of the form `type base64`"
            raise SpecError([Problem(path, summary)]) from None

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms to negotiate, so that a server with several keys presents this one."""
        return _ALGORITHMS.get(self.kind, (self.kind,))

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.blob)


def fingerprint(blob: bytes) -> str:
    """The fingerprint as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"
