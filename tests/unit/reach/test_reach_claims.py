"""Claims, guards and probes for real: through RealWorld and a real sshd."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from conftest import at_home, claim
from worlds.samples import ACTIONS, CLAIM, FOREIGN, OURS, changing, named
from worlds.sshd import TestServer

from rpool.decide.preflight import why_not_spare
from rpool.errors import NotClaimed, Refused, RpoolError
from rpool.model import action as act
from rpool.model.action import Action
from rpool.reach.world import RealWorld

CLAIM_FILE = "/var/lib/rpool/claim"


def test_a_claim_is_seen_by_a_probe_and_taken_twice_by_the_same_owner(world: RealWorld) -> None:
    claim(world)
    claim(world, replace(CLAIM, since="later"))
    assert world.probe("r1u04").claim == CLAIM


def test_a_claim_is_refused_when_another_pool_has_it(world: RealWorld, server: TestServer) -> None:
    claim(world, FOREIGN)
    before = server.snapshot()
    with pytest.raises(Refused, match=r"is claimed by pool other .* owner bob@ci"):
        claim(world)
    assert server.snapshot() == before


def test_of_many_that_claim_at_once_one_gets_it(world: RealWorld) -> None:
    def attempt(n: int) -> bool:
        try:
            claim(world, replace(CLAIM, uid=f"0000000{n}"))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


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
    assert any(trace.startswith(found) for found in probed.traces)
    with pytest.raises(Refused, match="dirty") as caught:
        claim(world)
    assert probed.traces[0] in caught.value.detail
    assert not server.path(CLAIM_FILE).exists()


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
    "text", [b"", b"\0" * 80, b"\xff\xfe", b"not json", b'{"uid": "x"}', b'"\\\t{']
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


@pytest.mark.parametrize("action", changing(), ids=named)
def test_no_action_touches_a_server_of_another_pool(
    server: TestServer, world: RealWorld, action: Action
) -> None:
    claim(world, FOREIGN)
    before = server.snapshot()
    with pytest.raises(Refused, match="is claimed by pool other"):
        world.carry_out(at_home(server, action), 60)
    assert server.snapshot() == before
    assert server.calls == ""


def test_no_preparation_touches_a_server_of_another_pool(
    server: TestServer, world: RealWorld
) -> None:
    claim(world, FOREIGN)
    before = server.snapshot()
    results: dict[str, RpoolError | None] = {}
    prepare = next(action for action in ACTIONS if isinstance(action, act.Prepare))
    world.prepare([prepare], 120, results.__setitem__)
    error = results["r1u04"]
    assert isinstance(error, Refused)
    assert "is claimed by pool other" in error.summary
    assert server.snapshot() == before
    assert server.calls == ""


@pytest.mark.parametrize("epoch", [OURS.epoch - 1, OURS.epoch + 1])
@pytest.mark.parametrize("action", changing(), ids=named)
def test_no_action_touches_another_life_of_a_server(
    server: TestServer, world: RealWorld, action: Action, epoch: int
) -> None:
    claim(world, replace(CLAIM, epoch=epoch))
    before = server.snapshot()
    with pytest.raises(Refused, match="another life"):
        world.carry_out(at_home(server, action), 60)
    assert server.snapshot() == before
    assert server.calls == ""


@pytest.mark.parametrize(
    "action", [a for a in changing() if not isinstance(a, act.TakeClaim)], ids=named
)
def test_no_action_touches_an_unclaimed_server(
    server: TestServer, world: RealWorld, action: Action
) -> None:
    before = server.snapshot()
    with pytest.raises(NotClaimed, match="not claimed"):
        world.carry_out(at_home(server, action), 60)
    assert server.snapshot() == before
    assert server.calls == ""
