"""What actions do on a server, for real: through RealWorld and a real sshd."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
import yaml
from cryptography import x509
from worlds.samples import CERTIFICATE_KEY, CLAIM, OURS, TOKEN, changing
from worlds.sshd import TestServer

from reach.conftest import at_home, claim
from rpool.errors import CommandFailed, Refused, TimedOut
from rpool.model import action as act
from rpool.model.claim import Ownership, Phase
from rpool.model.site import Mirrors
from rpool.reach import cni
from rpool.reach.world import RealWorld

CLAIM_FILE = "/var/lib/rpool/claim"


def test_a_journal_grows_line_by_line_also_while_an_action_works(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker("kubeadm", "sleep 3")
    working = threading.Thread(target=init, args=(world, server))
    working.start()
    wait_for(lambda: "kubeadm init" in server.calls)
    for n in range(3):
        world.carry_out(act.AppendJournal("r1u04", OURS, (f'{{"n": {n}}}', "it's")), 60)
    assert working.is_alive()
    journal = server.path("/var/lib/rpool/journal.jsonl").read_text()
    assert journal == "".join(f'{{"n": {n}}}\nit\'s\n' for n in range(3))
    working.join()


def test_a_server_leaves_only_once_what_works_there_is_over(
    world: RealWorld, server: TestServer
) -> None:
    """A join whose operator died goes on, and would make a member of what was given back."""
    claim(world)
    server.marker("kubeadm", f"while [ ! -e {server.root}/go ]; do sleep 0.05; done")
    working = threading.Thread(target=join, args=(world, server), kwargs={"control_plane": False})
    working.start()
    wait_for(lambda: "kubeadm join" in server.calls)
    with pytest.raises(Refused, match="busy"):
        world.carry_out(act.SetPhase("r1u04", OURS, Phase.LEAVING), 6)
    world.carry_out(act.SetPhase("r1u04", OURS, Phase.MEMBER), 6)  # it hinders nothing else
    as_member = world.probe("r1u04").claim
    assert as_member is not None
    assert as_member == replace(CLAIM, phase=Phase.MEMBER, ca_pin=as_member.ca_pin)
    (server.root / "go").touch()
    world.carry_out(act.SetPhase("r1u04", OURS, Phase.LEAVING), 60)
    working.join()
    probed = world.probe("r1u04")
    assert probed.claim == replace(as_member, phase=Phase.LEAVING)
    assert server.path("/var/lib/rpool/joined").exists()


def init(world: RealWorld, server: TestServer, timeout_seconds: float = 60) -> None:
    action = next(a for a in changing() if isinstance(a, act.Init))
    world.carry_out(at_home(server, action), timeout_seconds)


def join(world: RealWorld, server: TestServer, *, control_plane: bool) -> None:
    wanted = [a for a in changing() if isinstance(a, act.Join)]
    action = next(a for a in wanted if a.control_plane is control_plane)
    world.carry_out(at_home(server, action), 60)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


KUBEADM_INIT = """
for option; do case $option in --config=*) cat "${option#--config=}" >ROOT/config ;; esac; done
ps -ef >ROOT/processes
stat -c '%a %n' /run/rpool/secret.* /run/rpool/secret.*/kubeadm.yaml >ROOT/modes
cp /etc/kubernetes/kube-vip.conf ROOT/vip-during
case $1 in init | join) mkdir -p /etc/kubernetes; touch /etc/kubernetes/kubelet.conf ;; esac
"""


def kubeadm_marker(server: TestServer, more: str = "") -> None:
    server.marker("kubeadm", KUBEADM_INIT.replace("ROOT", str(server.root)) + more)


def test_init_gives_kubeadm_its_secrets_by_a_private_file_that_is_gone_afterwards(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    kubeadm_marker(server)
    init(world, server)
    config = (server.root / "config").read_text()
    assert TOKEN in config
    assert CERTIFICATE_KEY in config
    modes = (server.root / "modes").read_text().split()
    assert modes[::2] == ["700", "600"]
    assert not list(server.path("/run/rpool").glob("secret.*"))
    for text in (server.calls, (server.root / "processes").read_text()):
        assert TOKEN not in text
        assert CERTIFICATE_KEY not in text


def test_init_starts_kube_vip_on_the_servers_interface_as_a_user_of_its_own(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    kubeadm_marker(server)
    init(world, server)
    config = yaml.safe_load((server.root / "vip-during").read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://10.0.1.200:6443"
    encoded = config["users"][0]["user"]["client-certificate-data"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(encoded))
    assert certificate.subject.rfc4514_string() == "CN=rpool:kube-vip"  # and in no group
    authority = (server.root / "authority" / "ca.crt").read_bytes()
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    pod = json.loads(server.path("/etc/kubernetes/manifests/kube-vip.yaml").read_text())
    settings = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
    assert settings["vip_interface"] == "lo"


def test_a_worker_joins_without_kube_vip(world: RealWorld, server: TestServer) -> None:
    claim(world)
    kubeadm_marker(server)
    join(world, server, control_plane=False)
    probed = world.probe("r1u04")
    assert probed.joined
    assert not probed.joined_control_plane
    assert not server.path("/etc/kubernetes/manifests/kube-vip.yaml").exists()


def test_half_a_join_is_undone_before_the_next(world: RealWorld, server: TestServer) -> None:
    claim(world)
    kubeadm_marker(server, "[ $1 != join ]")
    with pytest.raises(CommandFailed, match="kubeadm join as a control plane failed"):
        join(world, server, control_plane=True)
    assert not world.probe("r1u04").joined
    kubeadm_marker(server, "[ $1 = reset ] && rm -rf /etc/kubernetes; true")
    join(world, server, control_plane=True)
    verbs = [line.split()[1] for line in server.calls.splitlines() if "kubeadm" in line]
    assert verbs == ["join", "reset", "join"]
    assert world.probe("r1u04").joined_control_plane


def test_a_failure_shows_the_end_of_the_output_without_secrets(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker("kubeadm", f"echo 'with {TOKEN}'; echo 'the reason' >&2; exit 4")
    with pytest.raises(CommandFailed, match=r"kubeadm init failed on r1u04 \(exit 4\)") as caught:
        init(world, server)
    assert "the reason" in caught.value.detail
    assert TOKEN not in str(caught.value)


def test_an_action_over_its_time_is_ended_on_the_server_too(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker("kubeadm", f"sleep 5; touch {server.root}/survived")
    with pytest.raises(TimedOut, match="kubeadm init on r1u04"):
        init(world, server, timeout_seconds=1.5)
    assert not list(server.path("/run/rpool").glob("secret.*"))
    time.sleep(4)
    assert not (server.root / "survived").exists()


def test_two_changes_of_a_server_do_not_run_at_once(world: RealWorld, server: TestServer) -> None:
    claim(world)
    root = server.root
    body = f"[ -e {root}/inside ] && touch {root}/overlap; touch {root}/inside; sleep 1"
    server.marker("kubeadm", f"{body}; rm {root}/inside")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: init(world, server), range(2)))
    assert not (root / "overlap").exists()


def test_changes_through_the_api_run_at_once_but_not_beside_an_init(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker("kubectl", "sleep 1")
    actions = [a for a in changing() if isinstance(a, act.WriteRecord)] * 4
    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda action: world.carry_out(action, 60), actions))
    assert time.monotonic() - started < 3
    server.marker("kubeadm", "sleep 2")
    beside = threading.Thread(target=init, args=(world, server))
    beside.start()
    wait_for(lambda: "kubeadm init" in server.calls)
    world.carry_out(actions[0], 60)
    assert not beside.is_alive() or server.path("/var/lib/rpool/joined").exists()
    beside.join()


def test_a_manifest_with_another_digest_is_not_applied(
    world: RealWorld, server: TestServer
) -> None:
    manifest = server.root / cni.installed("flannel").manifest.mirrored
    manifest.parent.mkdir(parents=True)
    manifest.write_text("kind: Evil\n")
    site = replace(server.site(), mirrors=Mirrors(manifests=f"file://{server.root}"))
    claim(world)
    with closing(RealWorld(site)) as mirrored, pytest.raises(CommandFailed) as caught:
        mirrored.carry_out(
            act.ApplyNetwork("r1u04", OURS, "10.77.0.0/16", "flannel", "10.0.1.200:6443"), 60
        )
    assert "is not the file we know" in caught.value.detail
    assert server.calls == ""


def test_revoking_deletes_our_tokens_and_leaves_those_of_others(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    ours = "cnBvb2w6IGxldHMgc2VydmVycyBqb2luIGZvciBzb21lIG1pbnV0ZXM="
    server.marker(
        "kubectl",
        f"case $* in *' get secrets '*) echo 'bootstrap-token-old {ours}'; "
        "echo 'bootstrap-token-theirs eA=='; echo 'bootstrap-token-bare ' ;; esac",
    )
    world.carry_out(next(a for a in changing() if isinstance(a, act.RevokeJoiners)), 60)
    deletion = server.calls.splitlines()[-1]
    assert deletion.endswith("kubeadm-certs bootstrap-token-abcdef bootstrap-token-old")
    assert TOKEN not in server.calls


def test_waiting_for_nodes_tells_which_are_not_ready(world: RealWorld, server: TestServer) -> None:
    reason = "r1u04: Ready is False: network not ready: cni plugin not initialized"
    server.marker(
        "kubectl",
        "case $* in *' get node r1u04 '*) echo '" + reason + "' ;; "
        "*) echo 'timed out waiting on nodes/r1u04' >&2; exit 1 ;; esac",
    )
    with pytest.raises(TimedOut, match="until r1u04 are Ready") as caught:
        world.carry_out(act.AwaitReady("r1u04", ("r1u04",)), 7)
    lines = caught.value.detail.splitlines()
    assert (lines[0], lines[-1]) == ("timed out waiting on nodes/r1u04", reason)


def test_an_ownership_is_uid_epoch_and_session_together() -> None:
    assert CLAIM.ownership == Ownership("0badcafe", 3, 7) == OURS
