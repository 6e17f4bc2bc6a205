"""The certificate that the plugin process presents to Terraform, made in memory at every start.

Terraform gets it in the handshake and trusts it and nothing else, so a signature on it would prove
nothing, and none is checked (Go does not verify a certificate that is itself a root). It is an
unsigned certificate by RFC 9925. That, and encoding it in DER here, avoids the parts of
`cryptography` that take longer to load than a whole handshake may take.
"""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

_DAY = 86_400
_INTEGER, _BIT_STRING, _OCTET_STRING, _OID, _UTF8, _UTC_TIME = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x17
_SEQUENCE, _SET = 0x30, 0x31
_TRUE = b"\x01\x01\xff"
_COMMON_NAME = b"\x55\x04\x03"
_SUBJECT_ALT_NAME = b"\x55\x1d\x11"
_BASIC_CONSTRAINTS = b"\x55\x1d\x13"
_EC_PUBLIC_KEY = b"\x2a\x86\x48\xce\x3d\x02\x01"
_PRIME256V1 = b"\x2a\x86\x48\xce\x3d\x03\x01\x07"
_UNSIGNED = b"\x2b\x06\x01\x05\x05\x07\x06\x24"
_HOST = b"localhost"
"""The name that go-plugin checks, whatever the address."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A key (PEM, secret) and its certificate (DER)."""

    key_pem: bytes
    certificate: bytes

    @property
    def certificate_pem(self) -> bytes:
        return _pem(b"CERTIFICATE", self.certificate)


def make() -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.private_numbers()
    secret = numbers.private_value.to_bytes(32, "big")
    x, y = numbers.public_numbers.x, numbers.public_numbers.y
    point = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    return Identity(_pem(b"EC PRIVATE KEY", _private_key(secret, point)), _certificate(point))


def _private_key(secret: bytes, point: bytes) -> bytes:
    """RFC 5915."""
    return _der(
        _SEQUENCE,
        b"\x02\x01\x01",
        _der(_OCTET_STRING, secret),
        _der(0xA0, _der(_OID, _PRIME256V1)),
        _der(0xA1, _der(_BIT_STRING, b"\0", point)),
    )


def _certificate(point: bytes) -> bytes:
    return _der(_SEQUENCE, _content(point), _algorithm(), _der(_BIT_STRING, b"\0"))


def _content(point: bytes) -> bytes:
    now = time.time()
    return _der(
        _SEQUENCE,
        b"\xa0\x03\x02\x01\x02",  # version 3
        _der(_INTEGER, b"\x01" + os.urandom(8)),
        _algorithm(),
        _name(),
        _der(_SEQUENCE, _utc(now - _DAY), _utc(now + 7 * _DAY)),
        _name(),
        _public_key(point),
        _der(0xA3, _der(_SEQUENCE, _is_authority(), _alternative_name())),
    )


def _public_key(point: bytes) -> bytes:
    kind = _der(_SEQUENCE, _der(_OID, _EC_PUBLIC_KEY), _der(_OID, _PRIME256V1))
    return _der(_SEQUENCE, kind, _der(_BIT_STRING, b"\0", point))


def _algorithm() -> bytes:
    return _der(_SEQUENCE, _der(_OID, _UNSIGNED))


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


def _pem(label: bytes, der: bytes) -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN " + label + b"-----\n" + body + b"-----END " + label + b"-----\n"
