"""Which kubelets get a serving certificate: approver.sh through a real sshd, as each control plane
runs it, with a kubectl that answers.
"""

from __future__ import annotations

import base64
import ipaddress
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from worlds.sshd import TestServer

from rpool.reach.script import compose
from rpool.reach.ssh import Sessions

NAME, ADDRESS = "r1u05", "10.0.1.5"
MEMBERS = f"r1u04 10.0.1.4\n{NAME} {ADDRESS}\n"
NODE = f"system:node:{NAME}"


@pytest.fixture
def api(server: TestServer) -> Path:
    """A folder of answers: `names`, and those about a request in a folder of its name."""
    folder = server.root / "api"
    (folder / "csr-1").mkdir(parents=True)
    (folder / "addresses").write_text(MEMBERS)
    (folder / "names").write_text(f"csr-0 {NODE} Approved Issued\ncsr-1 {NODE} \n")
    server.marker(
        "kubectl",
        f"""case $* in
*' get csr --sort-by=.metadata.creationTimestamp '*) cat {folder}/names ;;
*' get csr csr-1 '*.spec.username*) cat {folder}/csr-1/user ;;
*' get csr csr-1 '*.spec.request*) cat {folder}/csr-1/request ;;
*' get configmap rpool '*.data.addresses*) cat {folder}/addresses ;;
*' certificate approve '*) for last; do :; done; echo "$last" >>{folder}/approved ;;
*) exit 1 ;;
esac""",
    )
    return folder


def request(
    common: str = NODE,
    organization: str = "system:nodes",
    names: Sequence[str] = (NAME,),
    addresses: Sequence[str] = (ADDRESS,),
) -> bytes:
    """What a kubelet sends when it asks for its certificate."""
    subject = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    )
    wanted: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    wanted += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    if wanted:
        builder = builder.add_extension(x509.SubjectAlternativeName(wanted), critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    return signed.public_bytes(Encoding.PEM)


def approved(server: TestServer, api: Path, user: str, wanted: bytes) -> list[str]:
    """The requests that were approved when `user` asked for this."""
    (api / "csr-1" / "user").write_text(user)
    (api / "csr-1" / "request").write_bytes(base64.b64encode(wanted))
    script = compose(("library", "approve", "approver"), {"NODE_HOST": "10.0.1.4"})
    site = server.site()
    sessions = Sessions(site.fleet, site.ssh)
    try:
        done = sessions.session("r1u04").run("sh -s", script.encode(), 60)
    finally:
        sessions.close()
    assert done.code == 0, done.stderr
    approvals = api / "approved"
    return approvals.read_text().split() if approvals.exists() else []


def test_a_member_gets_what_is_its_own(server: TestServer, api: Path) -> None:
    assert approved(server, api, NODE, request()) == ["csr-1"]


@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        (NODE, request(names=["r1u04"])),
        (NODE, request(addresses=["10.0.1.4"])),
        (NODE, request(names=[NAME, "kubernetes"])),
        (NODE, request(addresses=[ADDRESS, "10.0.1.4"])),
        (NODE, request(names=[])),
        (NODE, request(addresses=[])),
        (NODE, request(names=[], addresses=[])),
        (NODE, request(common="system:node:r1u04", names=["r1u04"], addresses=["10.0.1.4"])),
        (NODE, request(organization="system:masters")),
        (NODE, b"none"),
        ("system:node:r1u06", request("system:node:r1u06", names=["r1u06"])),
        ("system:node:r1u0.", request("system:node:r1u0.", names=["r1u0."])),
        ("system:node:", request("system:node:", names=[""])),
        ("kubernetes-admin", request("kubernetes-admin")),
        (f"mallory\n{NODE}", request()),
        (f"{NODE}\nmallory", request()),
    ],
)
def test_nobody_gets_more(server: TestServer, api: Path, user: str, wanted: bytes) -> None:
    assert approved(server, api, user, wanted) == []


TWICE = b"""-----BEGIN CERTIFICATE REQUEST-----
MIIBpzCCAUwCAQAwMDEVMBMGA1UEChMMc3lzdGVtOm5vZGVzMRcwFQYDVQQDEw5z
eXN0ZW06bm9kZTp3MTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN0XpsqDj729
y/LxctPE0s38yZW3hztyTKouTY8lTV47sscmDIUrRCn2jgW/b4p2qOOZcY5Mse0e
34FDN9loyhCggbkwYAYJKoZIhvcNAQkOMVMwUTBPBglghkgBhvhCAQ0EQhZAeApY
NTA5djMgU3ViamVjdCBBbHRlcm5hdGl2ZSBOYW1lOiAKRE5TOncxLCBJUCBBZGRy
ZXNzOjEwLjAuMC45CjBVBgkqhkiG9w0BCQ4xSDBGMEQGA1UdEQQ9MDuCCmt1YmVy
bmV0ZXOCFmt1YmVybmV0ZXMuZGVmYXVsdC5zdmOCA2NwMYcECgAABIcECmAAAYcE
CgAAZDAKBggqhkjOPQQDAgNJADBGAiEA8bofCg/m06io+/1JXm/XDp/zjrL1DQkf
P2ITJ/FltmwCIQCamaPOdXzjNoLO+yOFaZW5PblXgGM2T38Yr7Ky4KpVzQ==
-----END CERTIFICATE REQUEST-----
"""
"""From system:node:w1, with two requests for extensions. openssl shows the first, a comment that
looks like the names w1 and 10.0.0.9. The cluster would sign both, with the API server's names.
"""


def test_what_the_cluster_would_read_otherwise_is_refused(server: TestServer, api: Path) -> None:
    (api / "addresses").write_text(f"{MEMBERS}w1 10.0.0.9\n")
    printed = subprocess.run(
        ["openssl", "req", "-noout", "-text"], input=TWICE, capture_output=True, check=True
    ).stdout
    assert b"X509v3 Subject Alternative Name: \nDNS:w1, IP Address:10.0.0.9\n" in printed
    assert approved(server, api, "system:node:w1", TWICE) == []


@pytest.mark.parametrize("hidden", [b"\x01", b"\x0b", b" ", b"\n-AAAA"])
def test_of_two_requests_in_one_neither_is_approved(
    server: TestServer, api: Path, hidden: bytes
) -> None:
    """What follows the line's end hides the first one from Go, and not from openssl."""
    first = request().replace(b"-----\n", b"-----" + hidden + b"\n", 1)
    for wanted in (first + request(names=["kubernetes"]), first):
        assert approved(server, api, NODE, wanted) == []


def test_a_name_that_is_an_option_keeps_nobody_from_theirs(server: TestServer, api: Path) -> None:
    (api / "names").write_text(
        f"--server=10.0.0.66:6443 {NODE} \n* {NODE} \ncsr-1 {NODE} \nb {NODE} x\n"
    )
    assert approved(server, api, NODE, request()) == ["csr-1"]
    assert "10.0.0.66" not in server.calls


def test_many_requests_of_one_leave_the_others_theirs(server: TestServer, api: Path) -> None:
    flood = "".join(f"a-{n} system:node:r1u04 \n" for n in range(100))
    (api / "names").write_text(f"{flood}csr-1 {NODE} \n{flood}")
    assert approved(server, api, NODE, request()) == ["csr-1"]
    asked = [line for line in server.calls.splitlines() if " get csr a-" in line]
    assert len(asked) == 3


def test_without_a_record_nobody_gets_anything(server: TestServer, api: Path) -> None:
    (api / "addresses").write_text("")
    assert approved(server, api, NODE, request()) == []


def test_what_is_answered_already_is_let_be(server: TestServer, api: Path) -> None:
    (api / "names").write_text(f"csr-1 {NODE} Denied\n")
    assert approved(server, api, NODE, request()) == []
