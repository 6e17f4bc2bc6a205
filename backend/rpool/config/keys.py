"""Checks that the text of an SSH key can be one, without the weight of a crypto library.

A mistake in a key shows at plan, before any server is asked. The text of a private key is never
part of an error.
"""

from __future__ import annotations

import base64
import binascii
import re

HOST_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
LEAST_RSA_BITS = 2048
_PEM = re.compile(
    r"\s*-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----\n(?P<body>.+?)\n-----END (?P=kind)-----\s*",
    re.DOTALL,
)
_OPENSSH_MAGIC = b"openssh-key-v1\0"


def check_host_key(value: str) -> str:
    """A public key, from ssh-keyscan or /etc/ssh/ssh_host_*_key.pub, as `type base64`.

    Drops the comment. Raises ValueError.
    """
    parts = value.split()
    if len(parts) < 2 or parts[0] not in HOST_KEY_TYPES:
        raise ValueError(
            'this is not a host key such as "ssh-ed25519 AAAA..." '
            "(the first two fields of /etc/ssh/ssh_host_ed25519_key.pub)"
        )
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        raise ValueError(
            "this host key is damaged: the part after its type is not base64, or incomplete. "
            "Copy the first two fields of /etc/ssh/ssh_host_ed25519_key.pub completely, or run "
            "rpool scan"
        ) from None
    if _first_string(blob) != parts[0].encode():
        raise ValueError(f"this host key says {parts[0]}, but holds a key of another type")
    if parts[0] == "ssh-rsa" and _rsa_bits(blob) < LEAST_RSA_BITS:
        raise ValueError(
            f"this RSA host key has {_rsa_bits(blob)} bits, which can be forged; at least "
            f"{LEAST_RSA_BITS} are needed. Declare the server's ed25519 key"
        )
    return f"{parts[0]} {parts[1]}"


def check_private_key(value: str) -> str:
    """Check a PEM private key without a passphrase. Raises ValueError, never with the key."""
    match = _PEM.fullmatch(value.replace("\r\n", "\n"))
    if not match:
        raise ValueError(
            "this is not a private key: it must be the key's text, from -----BEGIN to -----END "
            '(not a path; use file("...") for a file)'
        )
    if "ENCRYPTED" in match["kind"] or "Proc-Type: 4,ENCRYPTED" in match["body"]:
        raise ValueError("this private key has a passphrase; give one without")
    if match["kind"] == "OPENSSH PRIVATE KEY":
        _check_openssh(match["body"])
    return value


def _check_openssh(body: str) -> None:
    try:
        blob = base64.b64decode(body.replace("\n", ""), validate=True)
    except binascii.Error:
        raise ValueError("this private key is damaged: its body is not base64") from None
    if not blob.startswith(_OPENSSH_MAGIC):
        raise ValueError("this private key is damaged: it is not an OpenSSH key")
    if _first_string(blob[len(_OPENSSH_MAGIC) :]) != b"none":
        raise ValueError("this private key has a passphrase; give one without")


def _rsa_bits(blob: bytes) -> int:
    """The size of the modulus, which follows the type's name and the exponent."""
    at = 0
    for _ in range(2):
        at += 4 + int.from_bytes(blob[at : at + 4], "big")
    return int.from_bytes(_first_string(blob[at:]), "big").bit_length()


def _first_string(blob: bytes) -> bytes:
    """The first string in SSH's wire format: four bytes of length, then the bytes (RFC 4251)."""
    return blob[4 : 4 + int.from_bytes(blob[:4], "big")]
