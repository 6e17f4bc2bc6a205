"""How etcd is made anew from one member's data, through a real sshd and a modelled etcd: it runs
while its manifest is there, and forgets the other members where the manifest says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds.samples import OURS
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.errors import CommandFailed, RpoolError, TimedOut
from rpool.model import action as act
from rpool.reach.world import RealWorld

RECOVER = act.RecoverEtcd("r1u04", OURS)
MANIFEST = """apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - etcd
    - --data-dir=/var/lib/etcd
    image: registry.k8s.io/etcd:3.6.5-0
"""
THREE = "1, started, r1u04, a\n2, started, r1u05, b\n3, started, r1u06, c\n"
COPY = "/var/lib/etcd/before-recovery"
FLAG = "--force-new-cluster=true"
LAST = "until serves"


def etcd(server: TestServer, *, forgets: bool = True) -> None:
    manifests = server.path("/etc/kubernetes/manifests")
    manifests.mkdir(parents=True)
    (manifests / "etcd.yaml").write_text(MANIFEST)
    member = server.path("/var/lib/etcd/member")
    member.mkdir(parents=True)
    (member / "snap").write_text("data")
    (server.root / "members").write_text(THREE)
    yaml, members = "/etc/kubernetes/manifests/etcd.yaml", server.root / "members"
    alone = f"printf '1, started, r1u04, a\\n' >{members}" if forgets else ":"
    server.marker(
        "crictl",
        f"""if ! [ -e {yaml} ]; then exit 0; fi
cat {yaml} >>{server.root}/seen
if grep -q -e {FLAG} {yaml}; then {alone}; fi
case $* in
*' ps '*) echo container ;;
*' member list'*) cat {members} ;;
*' endpoint health'*) [ -e {server.root}/asked ] || {{ touch {server.root}/asked; exit 1; }} ;;
esac""",
    )
    server.marker("curl", "printf ok")


def kept(server: TestServer) -> Path:
    return server.path("/etc/kubernetes/etcd-recovery.yaml")


def recovered(server: TestServer) -> None:
    """etcd has one member and its own manifest, and its former data is kept aside."""
    assert (server.root / "members").read_text().count("\n") == 1
    assert server.path("/etc/kubernetes/manifests/etcd.yaml").read_text() == MANIFEST
    assert not kept(server).exists()
    assert server.path(f"{COPY}/snap").read_text() == "data"
    assert not server.path(f"{COPY}.old").exists()


def test_etcd_is_made_anew_by_itself_and_then_runs_as_before(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    etcd(server)
    world.carry_out(RECOVER, 60)
    recovered(server)
    flagged = f"    - etcd\n    - {FLAG}\n    - --data-dir=/var/lib/etcd\n"
    assert flagged in (server.root / "seen").read_text()


def cut_off(world: RealWorld, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Runs a recovery that ends before this line."""
    from rpool.reach import script

    whole = script._text

    def cut(part: str) -> str:
        head, name, tail = whole(part).partition(f"\n    {line}")
        return f"{head}\n    exit 9{name}{tail}" if part == "recover-etcd" else whole(part)

    with monkeypatch.context() as patch:
        patch.setattr(script, "_text", cut)
        with pytest.raises(RpoolError):
            world.carry_out(RECOVER, 60)


@pytest.mark.parametrize("line", ["end_etcd", "keep_data", "put_flagged", "put_back", LAST])
def test_one_that_was_cut_off_goes_on(
    world: RealWorld, server: TestServer, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    claim(world)
    etcd(server)
    cut_off(world, monkeypatch, line)
    world.carry_out(RECOVER, 60)
    recovered(server)


def test_another_recovery_after_one_that_was_cut_off_keeps_what_etcd_has_then(
    world: RealWorld, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster served all the same, so nobody ran it again."""
    claim(world)
    etcd(server)
    cut_off(world, monkeypatch, LAST)
    assert not kept(server).exists()
    later(server)
    world.carry_out(RECOVER, 60)
    assert server.path(f"{COPY}/snap").read_text() == "later"


def later(server: TestServer) -> None:
    """Others have joined since, and something was written."""
    (server.root / "members").write_text(THREE)
    server.path("/var/lib/etcd/member/snap").write_text("later")


def test_a_kubelet_that_has_not_reached_its_api_since_it_started_ends_no_etcd(
    world: RealWorld, server: TestServer
) -> None:
    """The last control plane that is left was rebooted: the recovery ends its etcd itself, and the
    restarted kubelet starts it.
    """
    claim(world)
    etcd(server)
    yaml, runs = "/etc/kubernetes/manifests/etcd.yaml", server.root / "runs"
    runs.touch()
    start = f"if [ -e {yaml} ]; then touch {runs}; fi"
    forgets = f"printf '1, started, r1u04, a\\n' >{server.root}/members"
    server.marker("systemctl", f"case $1 in start) {start} ;; esac")
    server.marker(
        "crictl",
        f"""if grep -qs -e {FLAG} {yaml}; then {forgets}; fi
case $* in
*' ps '*) if [ -e {runs} ]; then echo container; fi ;;
*' stop '*) rm -f {runs} ;;
*' member list'*) cat {server.root}/members ;;
esac""",
    )
    world.carry_out(RECOVER, 20)
    recovered(server)
    assert runs.exists()


def test_what_was_kept_first_is_kept(world: RealWorld, server: TestServer) -> None:
    """What a second attempt finds may be half of what the first one made."""
    claim(world)
    etcd(server)
    copy = server.path(COPY)
    copy.mkdir()
    (copy / "snap").write_text("the first")
    manifest = server.path("/etc/kubernetes/manifests/etcd.yaml")
    manifest.rename(kept(server))
    world.carry_out(RECOVER, 60)
    assert (copy / "snap").read_text() == "the first"


def test_the_copy_of_an_earlier_recovery_is_put_away(world: RealWorld, server: TestServer) -> None:
    claim(world)
    etcd(server)
    world.carry_out(RECOVER, 60)
    later(server)
    world.carry_out(RECOVER, 60)
    assert server.path(f"{COPY}/snap").read_text() == "later"
    assert server.path(f"{COPY}.old/snap").read_text() == "data"


def test_an_etcd_that_does_not_forget_the_others_is_told(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    etcd(server, forgets=False)
    with pytest.raises(TimedOut) as caught:
        world.carry_out(RECOVER, 8)
    assert "etcd has other members still" in f"{caught.value} {caught.value.detail}"
    assert kept(server).read_text() == MANIFEST


@pytest.mark.parametrize("lacks", ["/var/lib/etcd/member", "/etc/kubernetes/manifests/etcd.yaml"])
def test_a_server_without_etcd_has_nothing_to_recover_from(
    world: RealWorld, server: TestServer, lacks: str
) -> None:
    claim(world)
    etcd(server)
    gone = server.path(lacks)
    gone.rename(gone.with_name("gone"))
    with pytest.raises(CommandFailed):
        world.carry_out(RECOVER, 60)
    assert not kept(server).exists()
