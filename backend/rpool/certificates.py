"""What rpool does with certificates. `cryptography` is imported in functions: few runs need it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

MOST_KNOWN = 1024


@lru_cache(MOST_KNOWN)
def ca_pin(certificate: str) -> str:
    """kubeadm's pin of a CA (PEM): `sha256:` and the hex digest of its public key (SPKI, DER).
    Raises ValueError when `certificate` is not one.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


def are_certificates(text: str) -> bool:
    """Whether a text in PEM holds certificates alone, one or more."""
    from cryptography import x509

    try:
        return bool(x509.load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def is_of_ca(certificate: str, known: str) -> bool:
    """Whether a CA's certificate (PEM) has the key of the `known` CA: a certificate or a pin, or ""
    when the CA is not known, which any certificate matches.
    """
    if not known or certificate == known:
        return True
    try:
        return ca_pin(certificate) == (known if known.startswith("sha256:") else ca_pin(known))
    except ValueError:
        return False


def is_signed(certificate: str, message: bytes, signature: bytes) -> bool:
    """Whether a signature of `message` (SHA-256) was made with the key of a certificate (PEM): RSA
    with PKCS 1, or ECDSA, as `openssl dgst -sha256 -sign` makes them.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(SHA256()))
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


def new_ca(seed: str = "") -> str:
    """A CA certificate (PEM). Its key is thrown away, or comes back with the same seed."""
    return new_authority(seed)[0]


def new_authority(seed: str = "") -> tuple[str, str]:
    """A CA certificate and its private key (PEM both). A seed always gives the same key, so that
    simulated servers need not store it.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[1:])  # less than the curve's
    key = ec.derive_private_key(number, ec.SECP256R1()) if seed else _new_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now).not_valid_after(now + timedelta(days=3650))
    may_sign = dated.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = may_sign.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return certificate.decode(), _as_pem(key)


def new_request(user: str, groups: Sequence[str]) -> tuple[str, str]:
    """A request for a client certificate (PEM), and the new private key behind it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = _new_key()
    names = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, group) for group in groups]
    names.append(x509.NameAttribute(x509.NameOID.COMMON_NAME, user))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    request = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return request.decode(), _as_pem(key)


def organizations(request: str) -> list[str]:
    """The groups that a request (PEM) asks for."""
    from cryptography import x509

    subject = x509.load_pem_x509_csr(request.encode()).subject
    attributes = subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return [str(attribute.value) for attribute in attributes]


def sign_request(request: str, authority: tuple[str, str], seconds: int) -> str:
    """A client certificate (PEM) for a request, signed with a CA and its key as Kubernetes does."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID

    csr = x509.load_pem_x509_csr(request.encode())
    issuer = x509.load_pem_x509_certificate(authority[0].encode()).subject
    key = load_pem_private_key(authority[1].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 so is new_authority's
    now = datetime.now(UTC)
    fields = (issuer, csr.subject, csr.public_key(), x509.random_serial_number())
    dated = x509.CertificateBuilder(
        *fields, now - timedelta(minutes=5), now + timedelta(seconds=seconds)
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    signed = dated.add_extension(usage, critical=False).sign(key, SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def check_issued(certificate: str, request: str, ca: str) -> float:
    """When a certificate ends (seconds since 1970). Raises ValueError, with the reason, unless it
    has the key and the subject of the request, and the CA of the certificate `ca` has signed it
    (all are PEM).
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        issued = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        raise ValueError("it is no certificate") from None
    csr = x509.load_pem_x509_csr(request.encode())
    if issued.public_key() != csr.public_key():
        raise ValueError("it is for another key")
    if issued.subject != csr.subject:
        raise ValueError("it is for another user or other groups")
    try:
        issued.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.encode()))
    except (InvalidSignature, ValueError, TypeError):
        raise ValueError("another CA than the cluster's has signed it") from None
    return issued.not_valid_after_utc.timestamp()


def _new_key() -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _as_pem(key: ec.EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
