"""The certificate that the plugin process shows to Terraform, made anew in memory at every start.

Terraform learns it from the handshake and trusts it alone. It is written out in DER here because
the X.509 part of `cryptography` takes longer to load than everything else in this process together
may take; the key and the signature are `cryptography`'s.
"""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

_DAY = 86_400
_INTEGER, _BIT_STRING, _OCTET_STRING, _OID, _UTF8, _UTC_TIME = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x17
_SEQUENCE, _SET = 0x30, 0x31
_TRUE = b"\x01\x01\xff"
_COMMON_NAME = b"\x55\x04\x03"
_SUBJECT_ALT_NAME = b"\x55\x1d\x11"
_BASIC_CONSTRAINTS = b"\x55\x1d\x13"
_ECDSA_WITH_SHA256 = b"\x2a\x86\x48\xce\x3d\x04\x03\x02"
_HOST = b"localhost"
"""The name that go-plugin checks, whatever the address."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A key (PEM, secret) and its certificate (DER)."""

    key_pem: bytes
    certificate: bytes

    @property
    def certificate_pem(self) -> bytes:
        body = base64.encodebytes(self.certificate)
        return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def make() -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    body = _to_be_signed(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    return Identity(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        _der(_SEQUENCE, body, _algorithm(), _der(_BIT_STRING, b"\0", signature)),
    )


def _to_be_signed(public_key: bytes) -> bytes:
    now = time.time()
    return _der(
        _SEQUENCE,
        b"\xa0\x03\x02\x01\x02",  # version 3
        _der(_INTEGER, b"\x01" + os.urandom(8)),
        _algorithm(),
        _name(),
        _der(_SEQUENCE, _utc(now - _DAY), _utc(now + 7 * _DAY)),
        _name(),
        public_key,
        _der(0xA3, _der(_SEQUENCE, _is_authority(), _alternative_name())),
    )


def _algorithm() -> bytes:
    return _der(_SEQUENCE, _der(_OID, _ECDSA_WITH_SHA256))


def _name() -> bytes:
    common_name = _der(_SEQUENCE, _der(_OID, _COMMON_NAME), _der(_UTF8, _HOST))
    return _der(_SEQUENCE, _der(_SET, common_name))


def _is_authority() -> bytes:
    value = _der(_OCTET_STRING, _der(_SEQUENCE, _TRUE))
    return _der(_SEQUENCE, _der(_OID, _BASIC_CONSTRAINTS), _TRUE, value)


def _alternative_name() -> bytes:
    value = _der(_OCTET_STRING, _der(_SEQUENCE, _der(0x82, _HOST)))
    return _der(_SEQUENCE, _der(_OID, _SUBJECT_ALT_NAME), value)


def _utc(seconds: float) -> bytes:
    return _der(_UTC_TIME, time.strftime("%y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


def _der(tag: int, *parts: bytes) -> bytes:
    """One value: tag, length (short or long form), content."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body
