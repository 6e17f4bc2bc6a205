"""What a probe tells of certificates: real ones, by the server's own openssl."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from worlds.sshd import TestServer

from rpool.reach.world import RealWorld


@pytest.mark.parametrize("where", ["pki/etcd/server.crt", "admin.conf"])
def test_a_probe_tells_which_certificate_of_a_control_plane_ends_first(
    world: RealWorld, server: TestServer, where: str
) -> None:
    assert world.probe("r1u04").certificate == ""
    kubernetes = server.path("/etc/kubernetes")
    (kubernetes / "pki" / "etcd").mkdir(parents=True)
    for days, name in ((365, "pki/apiserver.crt"), (10, "first.crt")):
        _make(kubernetes / name, days)
    text = (kubernetes / "first.crt").read_text()
    if where == "admin.conf":
        text = f"users:\n    client-certificate-data: {b64encode(text.encode()).decode()}\n"
    (kubernetes / where).write_text(text)
    (kubernetes / "kubelet.conf").write_text("    client-certificate-data: none\n")
    probed = world.probe("r1u04")
    assert probed.certificate == f"/etc/kubernetes/{where}"
    assert 0 < probed.took_seconds < 60
    assert 9 < (probed.certificate_end_seconds - probed.clock_seconds) / 86400 <= 10


def test_a_certificate_that_cannot_be_read_hides_no_other(
    world: RealWorld, server: TestServer
) -> None:
    """Nor does a second one in a file, of a CA that is being replaced."""
    pki = server.path("/etc/kubernetes/pki")
    pki.mkdir(parents=True)
    for days, name in ((300, "ca.crt"), (1, "second"), (20, "apiserver.crt"), (40, "front.crt")):
        _make(pki / name, days)
    with (pki / "ca.crt").open("a") as file:
        file.write((pki / "second").read_text())
    assert world.probe("r1u04").certificate == "/etc/kubernetes/pki/apiserver.crt"
    (pki / "broken.crt").write_text(
        "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"
    )
    (pki / "empty.crt").write_text("")
    assert world.probe("r1u04").certificate == "/etc/kubernetes/pki/apiserver.crt"


def _make(path: Path, days: int) -> None:
    words = f"req -x509 -newkey ed25519 -nodes -subj /CN=x -days {days} -keyout /dev/null -out"
    subprocess.run(["openssl", *words.split(), path], check=True)
