"""The canary itself: it must sing, or its silence proves nothing."""

from __future__ import annotations

import base64

import pytest
from canary import Canary, ProcessWatch

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "\n".join(
    f"line{n}AAAABBBBCCCCDDDDEEEE" for n in range(4)
)
CANARY = Canary.of(KEY, "c2VjcmV0Ym94")


@pytest.mark.parametrize(
    "text",
    [
        b"... line2AAAABBBBCCCCDDDDEEEE ...",
        b"-----BEGIN PRIVATE KEY-----",
        b'{"secret": "c2VjcmV0Ym94"}',
        base64.b64encode(b"x-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE"),
        base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\nMHcCAQEE"),
        b"kubeadm join --token abcdef.0123456789abcdef",
        b"certificateKey: " + b"0a" * 32,
        b"kubeadm join --certificate-key",
    ],
)
def test_a_secret_is_found(text: bytes) -> None:
    assert CANARY.in_(text)


def test_what_is_no_secret_is_not() -> None:
    digest = b"0a" * 32
    text = (
        b"sha256:"
        + digest
        + b" X509SHA256="
        + digest
        + b" v1.36.3 10.88.0.200 main.tf provider.terraform"
    )
    assert CANARY.in_(text) == []


def test_a_watch_sees_the_command_lines_of_others() -> None:
    with ProcessWatch() as watch:
        while b"pytest" not in watch.seen():
            pass
