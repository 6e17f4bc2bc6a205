"""Traces, probes and claims that are damaged, for real: through RealWorld and a real sshd. What a
modelled server promises as well is in `tests/contract`.
"""

from __future__ import annotations

import time

import pytest
from worlds.samples import CLAIM, OURS
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.decide.preflight import why_not_spare
from rpool.errors import Refused
from rpool.model import action as act
from rpool.reach.world import RealWorld

CLAIM_FILE = "/var/lib/rpool/claim"


@pytest.mark.parametrize(
    "trace",
    [
        "/etc/kubernetes/kubelet.conf",
        "/etc/kubernetes/manifests/etcd.yaml",
        "/etc/kubernetes/pki/ca.key",
        "/var/lib/etcd/member/x",
        "/etc/kubernetes/audit.yaml",
        "/etc/kubernetes/.hidden",
        "/var/lib/etcd/default/member/snap/db",
        "/var/lib/kubelet/config.yaml",
        "/var/lib/kubelet/config.json",
        "/etc/cni/net.d/10-flannel.conflist",
        "/var/lib/cni/networks/cbr0",
        "/run/flannel/subnet.env",
        "/var/log/pods/a",
        "/var/lib/rpool/joined",
    ],
)
def test_an_unclaimed_server_with_a_trace_is_dirty(
    world: RealWorld, server: TestServer, trace: str
) -> None:
    path = server.path(trace)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("left")
    probed = world.probe("r1u04")
    assert not probed.is_spare
    assert any(trace.startswith(reported) for reported in probed.traces)
    with pytest.raises(Refused, match=f"r1u04 is not clean: .*{probed.traces[0]}") as caught:
        claim(world)
    assert probed.traces[0] in caught.value.detail
    assert not server.path(CLAIM_FILE).exists()


@pytest.mark.parametrize(
    ("command", "says", "how"),
    [
        ("findmnt", "ro,relatime", "read-only"),
        ("findmnt", "rw,relatime,errors=remount-ro", ""),
        ("findmnt", "rw,relatime,emergency_ro", "read-only"),
        ("findmnt", "", ""),
        ("stat", "full, 0 of 4096", "full"),
        ("stat", "full, 17 of 4096", ""),
        ("stat", "full, 0 of 0", ""),
        ("stat", "out of inodes, 0 of 4096", "out of inodes"),
        ("stat", "out of inodes, 17 of 4096", ""),
        ("stat", "out of inodes, 0 of 0", ""),
        ("stat", "", ""),
    ],
)
def test_a_server_whose_disk_takes_nothing_more_is_no_spare(
    world: RealWorld, server: TestServer, command: str, says: str, how: str
) -> None:
    server.marker(command, f"echo {says}")
    probed = world.probe("r1u04")
    assert probed.unwritable == how
    assert probed.is_spare is (how == "")
    assert why_not_spare(probed) == (f"unusable: its disk is {how}" if how else None)


def test_folders_with_nothing_in_them_are_no_traces(world: RealWorld, server: TestServer) -> None:
    """The kubelet's package ships some, and a disk of etcd's own has lost+found."""
    for folder in (
        "/etc/kubernetes/manifests",
        "/var/lib/kubelet/pods",
        "/var/lib/etcd/lost+found",
    ):
        server.path(folder).mkdir(parents=True)
    assert world.probe("r1u04").is_spare
    claim(world)


def test_chains_of_kube_proxy_make_a_server_dirty(world: RealWorld, server: TestServer) -> None:
    chains = "table ip kube-proxy {\n chain services {\n}\n}\ntable ip nat {\n chain KUBE-MARK {\n}"
    server.marker("nft", f"[ $1 = list ] && printf '%s' '{chains}'")
    traces = world.probe("r1u04").traces
    assert set(traces) >= {"nft table ip kube-proxy", "chain KUBE-MARK in ip nat"}


def test_a_probe_of_a_bare_server_tells_what_it_is(world: RealWorld) -> None:
    probed = world.probe("r1u04")
    assert probed.is_spare
    assert probed.cores > 0
    assert probed.memory_mib > 500
    assert not probed.joined
    assert abs(probed.clock_seconds - time.time()) < 5
    assert "127.0.0.1" not in probed.addresses


@pytest.mark.parametrize(
    "text",
    [b"", b"\0" * 80, b"\xff\xfe", b"not json", b'{\n "format": 1,\n "uid": "x"\n}', b'"\\\t{'],
)
def test_a_claim_that_cannot_be_read_is_nobodys_to_take(
    world: RealWorld, server: TestServer, text: bytes
) -> None:
    """A file system that was checked after a power cut has such files."""
    server.path(CLAIM_FILE).parent.mkdir()
    server.path(CLAIM_FILE).write_bytes(text)
    refused(world)


def test_a_claim_that_leads_nowhere_is_nobodys_to_take(
    world: RealWorld, server: TestServer
) -> None:
    server.path(CLAIM_FILE).parent.mkdir()
    server.path(CLAIM_FILE).symlink_to("/mnt/claim")
    refused(world)


def refused(world: RealWorld) -> None:
    """A plan does not pick the server, since its probe tells; nor may it be claimed, or changed."""
    probed = world.probe("r1u04")
    assert probed.claim is None
    assert "a claim that cannot be read" in (why_not_spare(probed) or "")
    for action in (act.TakeClaim("r1u04", CLAIM), act.Reset("r1u04", OURS, None)):
        with pytest.raises(Refused, match="r1u04 has a claim that cannot be read"):
            world.carry_out(action, 60)
