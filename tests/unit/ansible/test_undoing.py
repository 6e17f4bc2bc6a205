"""What preparation writes, a reset takes away again: exactly that, from any point on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.fakes import prepare, site
from worlds.machine import LISTEN, SCRIPTS, Machine

from rpool.model import action as act
from rpool.model.claim import Ownership
from rpool.reach.ansible import guarded_script
from rpool.reach.render import render
from rpool.reach.verdict import Exit

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

WRITE = """
put /etc/containerd/config.toml "# Written by rpool
version = 3"
put /etc/containerd/certs.d/_default/hosts.toml '# Written by rpool'
put /etc/sysctl.d/99-rpool.conf '# Written by rpool'
printf '%s\\n' kubeadm >"$PREPARED/held"
"""
SWAP = "UUID=1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.make(tmp_path)


def reset(uid: str = "0badcafe", vip: str | None = None) -> str:
    return render(act.Reset("r1u04", Ownership(uid, 3), vip), site(), 60)


def test_a_file_is_written_once_and_says_so(machine: Machine) -> None:
    first, second = machine.role(WRITE), machine.role(WRITE)
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout.count("changed ") == 3
    assert second.stdout == ""


def test_a_reset_leaves_the_machine_as_it_was(machine: Machine) -> None:
    machine.file("/etc/containerd/config.toml", "somebody's\n")
    machine.path("/etc/containerd/config.toml").chmod(0o640)
    machine.file("/etc/fstab", SWAP)
    before = machine.snapshot()
    machine.role(WRITE + "SWAP=off\n" + (SCRIPTS / "configure.sh").read_text())
    assert "#rpool# /dev/sda2" in machine.path("/etc/fstab").read_text()
    assert machine.run(reset()).returncode == 0
    after = machine.snapshot()
    assert after == {path: what for path, what in before.items() if "rpool" not in path}
    assert "apt-mark unhold kubeadm" in machine.calls
    assert "systemctl disable --now kubelet.service" in machine.calls


def test_what_was_there_before_is_kept_through_a_second_preparation(machine: Machine) -> None:
    machine.file("/etc/containerd/config.toml", "somebody's\n")
    machine.role(WRITE)
    machine.role(WRITE.replace("version = 3", "version = 4"))
    machine.run(reset())
    assert machine.path("/etc/containerd/config.toml").read_text() == "somebody's\n"


SHIM = """
cp "$(command -v sh)" /opt/containerd-shim
/opt/containerd-shim -c 'sleep 300; : k8s.io' &
until grep -qsx containerd-shim "/proc/$!/comm"; do :; done
rm /opt/containerd-shim
"""


def test_a_shim_of_a_container_that_no_list_has_is_ended(machine: Machine) -> None:
    """Its kubelet was stopped as containerd was just starting the container."""
    machine.role(WRITE)
    done = machine.run(SHIM + reset())
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_reset_that_was_cut_off_is_finished_by_the_next(machine: Machine) -> None:
    machine.file("/etc/containerd/config.toml", "somebody's\n")
    machine.role(WRITE)
    cut = reset().replace("attempt systemctl try-restart", "exit 9; attempt systemctl try-restart")
    assert machine.run(cut).returncode == 9
    assert machine.path("/var/lib/rpool/claim").exists()
    assert machine.run(reset()).returncode == 0
    assert machine.path("/etc/containerd/config.toml").read_text() == "somebody's\n"
    assert not machine.path("/var/lib/rpool").exists()


START = "MORE_IMAGES=\nIMAGES='registry.k8s.io/pause:3.10'\n" + (SCRIPTS / "start.sh").read_text()


@pytest.mark.parametrize("theirs", ["", "registry.k8s.io/pause:3.1\n"])
def test_a_reset_removes_the_images_that_came_after_the_claim_and_no_others(
    machine: Machine, theirs: str
) -> None:
    machine.program("ctr", 'case "$*" in *"images list"*) cat /etc/images ;; esac')
    machine.file("/etc/images", theirs)
    assert machine.role(START).returncode == 0
    machine.file("/etc/images", f"{theirs}registry.k8s.io/pause:3.10\n")
    assert machine.role(START).returncode == 0
    done = machine.run(LISTEN + reset())
    assert done.returncode == 0, done.stderr
    removals = [line for line in machine.calls.splitlines() if "images remove" in line]
    assert removals == ["ctr --namespace k8s.io images remove registry.k8s.io/pause:3.10"]


def test_images_stay_where_nobody_knows_whose_they_are(machine: Machine) -> None:
    machine.program("ctr", 'case "$*" in *"images list"*) cat /etc/images ;; esac')
    assert "will stay" in machine.role(START).stderr
    machine.file("/etc/images", "registry.k8s.io/pause:3.1\n")
    done = machine.run(LISTEN + reset())
    assert done.returncode == 0, done.stderr
    assert "images remove" not in machine.calls


def kubeconfig(*authorities: str) -> str:
    """As kubectl writes it; a cluster with no authority is one that is not verified."""
    clusters = "".join(
        "- cluster:\n"
        + (f"    certificate-authority-data: {authority}\n" if authority else "")
        + f"    server: https://10.0.1.{n}:6443\n  name: c{n}\n"
        for n, authority in enumerate(authorities)
    )
    return f"apiVersion: v1\nclusters:\n{clusters}kind: Config\n"


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (kubeconfig("T1VSUw=="), False),
        (kubeconfig("VEhFSVJT"), True),
        (kubeconfig("T1VSUw==", "VEhFSVJT"), True),
        (kubeconfig("VEhFSVJT", "T1VSUw=="), True),
        (kubeconfig("T1VSUw==", "T1VSUw=="), True),
        (kubeconfig("T1VSUw==", ""), True),
    ],
)
def test_a_kubeconfig_goes_only_if_it_is_of_this_cluster_alone(
    machine: Machine, text: str, stays: bool
) -> None:
    machine.file("/etc/kubernetes/admin.conf", kubeconfig("T1VSUw=="))
    machine.file("/etc/theirs", text)
    put = "mkdir /root/.kube\ncp /etc/theirs /root/.kube/config\n"
    done = machine.run(f"{put}sh -s >/dev/null <<'END'\n{reset()}END\ncat /root/.kube/config\n")
    assert done.stdout == (text if stays else "")


def test_a_server_of_another_pool_is_not_touched(machine: Machine) -> None:
    machine.role(WRITE)
    before = machine.snapshot()
    assert machine.run(reset(uid="11111111")).returncode == 81
    assert machine.snapshot() == before
    assert machine.calls == ""


def test_what_is_left_is_told_and_keeps_the_claim(machine: Machine) -> None:
    machine.program("ctr", 'case "$*" in *"containers list"*) echo abc123 ;; esac')
    machine.path("/run/containerd").mkdir()
    listen = "import socket; socket.socket(socket.AF_UNIX).bind('/run/containerd/containerd.sock')"
    machine.run(f'python3 -c "{listen}"')
    done = machine.run(reset())
    assert (done.returncode, done.stdout) == (87, "container abc123\n")
    assert machine.path("/var/lib/rpool/claim").exists()


@pytest.mark.parametrize(("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::")])
def test_a_kubelet_that_serves_by_any_protocol_is_left(
    machine: Machine, family: str, host: str
) -> None:
    """By default it listens on all addresses, which to the kernel is IPv6."""
    serve = (
        f"import socket, time; s = socket.socket(socket.{family}); s.bind(('{host}', 10250));"
        " s.listen(); open('/etc/serving', 'w'); time.sleep(60)"
    )
    begin = f'ip link set lo up\npython3 -c "{serve}" &\n'
    await_it = "until [ -e /etc/serving ]; do sleep 0.05; done\n"
    done = machine.run(begin + await_it + reset())
    assert (done.returncode, done.stdout) == (87, "process kubelet, or another, on port 10250\n")


def test_a_volume_that_stays_mounted_is_never_deleted_through(machine: Machine) -> None:
    volume = "/var/lib/kubelet/pods/uid/volumes/nfs"
    machine.file(f"{volume}/precious", "data")
    machine.program("umount", "exit 1")
    done = machine.run(f"mount --bind /etc {volume} && touch {volume}/precious\n" + reset())
    assert done.returncode == 87
    assert f"mount {volume}" in done.stdout
    assert machine.path("/etc/precious").exists()
    assert machine.path("/etc/fstab").exists()


def test_what_a_reset_deleted_stays_so_after_a_power_cut_before_its_claim_goes(
    machine: Machine,
) -> None:
    """Traces that came back without a claim would leave the server dirty for ever."""
    machine.program("sync", '[ ! -e /var/lib/rpool/claim ] || echo "claimed" >>"$0.log"')
    machine.path("/var/lib/kubelet").mkdir()
    machine.path("/var/lib/etcd").mkdir()
    disks = "mount -t tmpfs none /var/lib/kubelet; mount -t tmpfs none /var/lib/etcd\n"
    done = machine.run(disks + reset())
    assert done.returncode == 0, done.stderr
    synced = [line for line in machine.calls.splitlines() if line.startswith("sync ")]
    claimed = len((machine.root / "bin" / "sync.log").read_text().splitlines())
    for disk in ("/etc", "/var/lib", "/var/lib/kubelet", "/var/lib/etcd"):
        assert f"sync -f {disk}" in synced[:claimed]


RULES = """*filter
:INPUT ACCEPT [1:2]
:KUBE-FIREWALL - [0:0]
:MINE - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -j MINE
-A KUBE-FIREWALL -s 127.0.0.0/8 -j DROP
-A MINE -m comment --comment "see \\"x\\" -j KUBE-FIREWALL" -j ACCEPT
-A MINE -m comment --comment "kubernetes drop" -g KUBE-FIREWALL
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:KUBERNETES-MINE - [0:0]
-A PREROUTING -j KUBERNETES-MINE
COMMIT
"""


def test_only_our_chains_and_the_jumps_to_them_are_removed(machine: Machine) -> None:
    machine.file("/etc/rules", RULES)
    machine.program("iptables-save", "cat /etc/rules")
    machine.program("iptables-restore", 'cat "$2" >/etc/restored')
    machine.run(reset())
    assert machine.path("/etc/restored").read_text().splitlines() == [
        "*filter",
        ":KUBE-FIREWALL - [0:0]",
        "-D INPUT -j KUBE-FIREWALL",
        '-D MINE -m comment --comment "kubernetes drop" -g KUBE-FIREWALL',
        "-X KUBE-FIREWALL",
        "COMMIT",
    ]


def test_a_virtual_ip_that_kubeadm_forgot_is_taken_off(machine: Machine) -> None:
    add = "ip link set lo up\nip addr add 10.0.1.200/32 dev lo\nip addr add 10.0.1.20/32 dev lo\n"
    done = machine.run(f"{add}sh -s <<'END'\n{reset(vip='10.0.1.200')}END\nip -o addr show >&2\n")
    assert "10.0.1.200/" not in done.stderr
    assert "10.0.1.20/" in done.stderr


def command(text: str, stdin: bytes = b"", uid: str = "0badcafe") -> str:
    action = replace(prepare("r1u04"), ownership=Ownership(uid, 3))
    return guarded_script(action, text, stdin, 60)


def test_a_command_of_ansible_s_gets_its_input_and_the_system_s_umask(machine: Machine) -> None:
    done = machine.run(command("umask; cat; exit 7", b"it's \x00 input"))
    assert (done.returncode, done.stdout) == (7, "0022\nit's \x00 input")


@pytest.mark.parametrize("code", [*Exit])
def test_a_command_cannot_be_taken_for_the_guard(machine: Machine, code: Exit) -> None:
    assert machine.run(command(f"exit {code}")).returncode == 1


def test_a_command_does_not_run_under_a_foreign_claim(machine: Machine) -> None:
    done = machine.run(command("touch /etc/touched", uid="11111111"))
    assert done.returncode == 81
    assert not machine.path("/etc/touched").exists()


def test_containers_of_a_runtime_that_did_not_run_go_once_it_does(machine: Machine) -> None:
    """Its configuration was broken; the one from before the preparation is not."""
    machine.file("/etc/containerd/config.toml", "somebody's\n")
    machine.role(WRITE)
    machine.file("/etc/containerd/config.toml", "broken\n")
    machine.program(
        "ctr",
        """grep -q broken /etc/containerd/config.toml && exit 1
case "$*" in
*"containers delete"*) : >/var/lib/gone ;;
*"containers list"*) [ -e /var/lib/gone ] || echo abc123 ;;
esac""",
    )
    machine.program("systemctl", 'case "$*" in *is-active*) exit 3 ;; esac')
    machine.path("/run/containerd").mkdir()
    listen = "import socket; socket.socket(socket.AF_UNIX).bind('/run/containerd/containerd.sock')"
    machine.run(f'python3 -c "{listen}"')
    done = machine.run(reset())
    assert done.returncode == 0, done.stdout
    assert "containers delete abc123" in machine.calls
