"""The few things that rpool does with certificates; `cryptography` is imported when one is met."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta


def ca_pin(certificate: str) -> str:
    """kubeadm's pin of a CA (PEM): `sha256:` and the hex digest of its public key (SPKI, DER)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


def new_ca() -> str:
    """A CA certificate (PEM) whose key is thrown away: what a modelled cluster shows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now).not_valid_after(now + timedelta(days=3650))
    return dated.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
