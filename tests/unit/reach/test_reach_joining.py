"""Joins and inits that were cut off, for real: what is undone by the next, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml
from worlds.samples import CLAIM, changing
from worlds.sshd import KUBEADM, TestServer

from reach.conftest import at_home, claim
from rpool.errors import CommandFailed, Refused
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Phase
from rpool.reach.world import RealWorld

MANIFEST = "/etc/kubernetes/manifests/kube-vip.yaml"
INIT = next(a for a in changing() if isinstance(a, act.Init))
JOIN = next(a for a in changing() if isinstance(a, act.Join) and a.control_plane)
WORKER = next(a for a in changing() if isinstance(a, act.Join) and not a.control_plane)
COMING_UP = pytest.mark.parametrize("action", [INIT, JOIN, WORKER], ids=["init", "join", "worker"])

Attempt = Callable[[Action], object]


@pytest.fixture
def attempt(world: RealWorld, server: TestServer) -> Attempt:
    """Carries an action out on the server, which `KUBEADM` changes as the real one would."""
    server.marker("kubeadm", KUBEADM)
    return lambda action: world.carry_out(at_home(server, action), 60)


def verbs(server: TestServer) -> list[str]:
    """The commands that kubeadm was called with, in order."""
    lines = server.calls.splitlines()
    return [line.split()[1] for line in lines if line.startswith("kubeadm ")]


def half_done(server: TestServer) -> None:
    """Makes what kubeadm leaves when it is killed just after etcd has started."""
    for path in ("/etc/kubernetes/kubelet.conf", "/var/lib/etcd/member/wal/0.wal"):
        server.path(path).parent.mkdir(parents=True, exist_ok=True)
        server.path(path).write_text("half")


@COMING_UP
@pytest.mark.parametrize("phase", [Phase.MEMBER, Phase.LEAVING])
def test_what_was_a_member_is_never_undone(
    world: RealWorld, server: TestServer, attempt: Attempt, action: Action, phase: Phase
) -> None:
    """Its mark `joined` may be lost, by a restored backup or a repaired file system."""
    claim(world, replace(CLAIM, phase=phase))
    half_done(server)
    before = server.snapshot()
    with pytest.raises(Refused, match="r1u04 has been a member of its cluster") as caught:
        attempt(action)
    assert f"Its claim says {phase.value}, but /var/lib/rpool/joined is not there." in str(
        caught.value
    )
    assert server.snapshot() == before
    assert server.calls == ""


@pytest.mark.parametrize("action", [INIT, JOIN], ids=["init", "join"])
def test_half_a_control_plane_is_undone_without_touching_the_others_etcd(
    world: RealWorld, server: TestServer, attempt: Attempt, action: Action
) -> None:
    """Whether its member may leave etcd depends on quorum, which kubeadm does not check. kubeadm
    also leaves the data then, and would not begin again with it.
    """
    claim(world)
    half_done(server)
    server.marker(
        "kubeadm", f"[ -e /var/lib/etcd/member ] && touch {server.root}/$1-saw-data\n{KUBEADM}"
    )
    assert not world.probe("r1u04").kubeadm_ended
    attempt(action)
    assert verbs(server) == ["reset", "init" if action is INIT else "join"]
    reset = server.calls.splitlines()[0].split()
    assert "--skip-phases=remove-etcd-member" in reset
    assert "--kubeconfig=/nonexistent" in reset
    assert [path.name for path in server.root.glob("*-saw-data")] == ["reset-saw-data"]
    assert "etcdctl" not in server.calls


def test_what_cannot_be_looked_at_is_undone_as_though_it_were_there(
    world: RealWorld, server: TestServer, attempt: Attempt
) -> None:
    claim(world)
    server.marker("nft", "exit 1")
    attempt(WORKER)
    assert verbs(server) == ["reset", "join"]


@pytest.mark.parametrize(("action", "mode"), [(INIT, 0o700), (JOIN, 0o700), (WORKER, 0o755)])
def test_a_folder_that_was_made_for_etcd_is_for_root_alone(
    world: RealWorld, server: TestServer, attempt: Attempt, action: Action, mode: int
) -> None:
    """Also where a disk of its own is mounted: kubeadm takes what it finds."""
    claim(world)
    folder = server.path("/var/lib/etcd")
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    attempt(action)
    assert folder.stat().st_mode & 0o777 == mode


def test_a_control_plane_has_not_joined_before_kube_vip_is_there(
    world: RealWorld, server: TestServer, attempt: Attempt
) -> None:
    claim(world)
    server.marker("ip", "exit 0")  # shows no address, so kube-vip has no interface
    with pytest.raises(CommandFailed, match="kubeadm join as a control plane failed"):
        attempt(JOIN)
    probed = world.probe("r1u04")
    assert (probed.kubeadm_ended, probed.joined) == (True, False)


@pytest.mark.parametrize("action", [INIT, JOIN], ids=["init", "join"])
def test_what_kubeadm_has_ended_is_completed_and_never_undone(
    world: RealWorld, server: TestServer, attempt: Attempt, action: Action
) -> None:
    """It votes in etcd by then."""
    claim(world)
    server.marker("kubeadm", f"{KUBEADM}[ $1 = reset ] || : >/etc/kubernetes/broken")
    server.marker(
        "mv",
        "[ -e /etc/kubernetes/broken ] && case $* in *kube-vip* | *approver*) exit 1 ;; esac\n"
        'exec /bin/mv "$@"',
    )
    with pytest.raises(CommandFailed):
        attempt(action)
    probed = world.probe("r1u04")
    assert (probed.kubeadm_ended, probed.joined) == (True, False)
    server.path("/etc/kubernetes/broken").unlink()
    attempt(action)
    assert verbs(server) == ["init" if action is INIT else "join"]
    assert world.probe("r1u04").joined_control_plane
    assert server.path(MANIFEST).exists()


@pytest.mark.parametrize("mark", ["kubeadm-ended", "joined"])
def test_what_somebody_has_reset_by_hand_joins_anew(
    world: RealWorld, server: TestServer, attempt: Attempt, mark: str
) -> None:
    """The mark is from before: nothing of kubeadm's is there any more."""
    claim(world)
    server.marker("kubeadm", KUBEADM)
    server.path(f"/var/lib/rpool/{mark}").write_text("control_plane\n")
    attempt(JOIN)
    assert "join" in verbs(server)
    assert world.probe("r1u04").joined_control_plane


def test_a_role_that_kubeadm_has_given_is_not_taken_for_another(
    world: RealWorld, server: TestServer, attempt: Attempt
) -> None:
    claim(world)
    server.marker("ip", "exit 0")
    with pytest.raises(CommandFailed):
        attempt(JOIN)
    with pytest.raises(CommandFailed) as caught:
        attempt(WORKER)
    assert "this server is in its cluster already, as control_plane" in caught.value.detail


def test_a_reset_forgets_that_kubeadm_has_ended(
    world: RealWorld, server: TestServer, attempt: Attempt
) -> None:
    claim(world)
    attempt(WORKER)
    assert server.path("/var/lib/rpool/kubeadm-ended").exists()
    assert world.probe("r1u04").kubeadm_ended
    world.carry_out(act.Reset("r1u04", CLAIM.ownership, None), 100)
    assert world.probe("r1u04").is_spare
    assert [path.name for path in server.path("/var/lib/rpool").iterdir()] == ["trust"]


@pytest.mark.parametrize("control_planes", [1, 3])
def test_the_ca_s_keys_are_uploaded_only_where_control_planes_join(
    world: RealWorld, server: TestServer, control_planes: int
) -> None:
    server.marker("kubeadm", KUBEADM)
    claim(world)
    spec = replace(
        INIT.spec, control_plane=replace(INIT.spec.control_plane, servers=control_planes)
    )
    world.carry_out(at_home(server, replace(INIT, spec=spec)), 60)
    assert ("--upload-certs" in server.calls) is (control_planes > 1)


@pytest.mark.parametrize("control_plane", [False, True])
def test_workers_are_let_in_without_them(
    world: RealWorld, server: TestServer, control_plane: bool
) -> None:
    server.marker("kubeadm", "if [ $1 = version ]; then echo v1.36.3; fi")
    claim(world)
    admit = next(a for a in changing() if isinstance(a, act.AdmitJoiners))
    world.carry_out(replace(admit, control_plane=control_plane), 60)
    assert ("upload-certs" in server.calls) is control_plane
    assert "kubectl" in server.calls


def test_who_is_beyond_all_rights_is_gone_after_the_first_init(
    world: RealWorld, server: TestServer
) -> None:
    server.marker("kubeadm", f"{KUBEADM}touch /etc/kubernetes/super-admin.conf")
    claim(world)
    world.carry_out(at_home(server, INIT), 60)
    assert not server.path("/etc/kubernetes/super-admin.conf").exists()


@pytest.mark.parametrize(("action", "has_one"), [(INIT, True), (JOIN, True), (WORKER, False)])
def test_an_api_server_has_its_files_before_kubeadm_starts_it(
    world: RealWorld, server: TestServer, action: Action, has_one: bool
) -> None:
    copied = server.root / "seen"
    server.marker("kubeadm", f"cp -rT /etc/kubernetes/api-server {copied}; {KUBEADM}")
    claim(world)
    world.carry_out(at_home(server, action), 60)
    assert server.path("/etc/kubernetes/api-server").exists() is has_one
    assert copied.exists() is has_one
    if has_one:
        names = {"audit.yaml", "admission.yaml", "encryption.yaml"}
        assert {path.name for path in copied.iterdir()} == names
        assert all(path.stat().st_mode & 0o077 == 0 for path in copied.iterdir())
        assert all(yaml.safe_load(path.read_text())["kind"] for path in copied.iterdir())


def test_labels_are_for_the_first_moment_of_a_node_and_its_zone_is_for_good(
    world: RealWorld, server: TestServer, attempt: Attempt
) -> None:
    """A deleted Node is registered again, when the labels of its join may be out of date."""
    claim(world)
    flags = server.path("/var/lib/kubelet/kubeadm-flags.env")
    zone = "topology.kubernetes.io/zone=rack1"
    written = f'ARGS="--node-ip=10.0.1.4 --node-labels={zone},tier=gpu --pod-infra=pause"'
    server.marker("kubeadm", f"{KUBEADM}\nmkdir -p {flags.parent}\necho '{written}' >{flags}")
    attempt(WORKER)
    remaining = f'ARGS="--node-ip=10.0.1.4 --node-labels={zone} --pod-infra=pause"\n'
    assert flags.read_text() == remaining
    attempt(WORKER)
    assert flags.read_text() == remaining
