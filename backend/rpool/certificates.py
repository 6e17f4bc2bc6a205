"""The few things that rpool does with certificates; `cryptography` is imported when one is met."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MOST_KNOWN = 1024


@lru_cache(MOST_KNOWN)
def ca_pin(certificate: str) -> str:
    """kubeadm's pin of a CA (PEM): `sha256:` and the hex digest of its public key (SPKI, DER).
    Raises ValueError when it is no certificate.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


def are_certificates(text: str) -> bool:
    """Whether all of a text in PEM is certificates, one or more."""
    from cryptography import x509

    try:
        return bool(x509.load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def is_of_ca(certificate: str, known: str) -> bool:
    """Whether a CA's certificate (PEM) has the key of the one that is known: by a certificate of
    its, or by its pin. "" is none that is known, and then any will do.
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


def new_ca() -> str:
    """A CA certificate (PEM) whose key is thrown away: what a modelled cluster shows."""
    return new_authority()[0]


def new_authority() -> tuple[str, str]:
    """A CA certificate and its private key (PEM both)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now).not_valid_after(now + timedelta(days=3650))
    certificate = dated.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.decode(), private.decode()
