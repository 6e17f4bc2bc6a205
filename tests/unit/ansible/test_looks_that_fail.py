"""What cannot be looked at is never taken for clean: not by a reset, a probe, or a claim."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest
from worlds.fakes import site
from worlds.machine import LISTEN, Machine

from rpool.model import action as act
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.server import Role
from rpool.reach import cni
from rpool.reach.render import render
from rpool.reach.script import compose

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

OURS = Ownership("0badcafe", 3)
VIP = "10.0.1.200"
RESET = render(act.Reset("r1u04", OURS, VIP), site(), 60)
NO_LIST = "unknown: no list was made when the server was claimed\n"  # these are not claimed by us
VERIFY = compose(("library", "traces", "clean", "verify"), {"VIP": VIP, **cni.TRACES})
PROBE = compose(("library", "traces", "probe"), cni.TRACES)
CLAIM = Claim(
    OURS.uid, "batch", "ann", Role.WORKER, Phase.BOOTSTRAPPING, OURS.epoch, "2026", "r1u04", ""
)
TAKE = render(act.TakeClaim("r1u04", CLAIM), site(), 60)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.make(tmp_path)


def only_when(program: str, words: str, code: int = 2) -> str:
    """The body of a program that fails when it is called with these words, and otherwise works."""
    return f'case "$*" in *{words}*) exit {code} ;; esac\nexec /usr/bin/{program} "$@"'


@dataclass(frozen=True)
class Look:
    """A look of `traces`: the program that fails in it, and the trace that its failure is."""

    program: str
    body: str
    trace: str


LOOKS = {
    "chains": Look(
        "nft",
        "echo 'netlink: Error: cache initialization failed: Not supported' >&2; exit 1",
        "cannot list firewall chains: netlink: Error: cache initialization failed: Not supported",
    ),
    "chains, read": Look("awk", only_when("awk", "'nft table '"), "cannot read firewall chains"),
    "interfaces": Look("awk", only_when("awk", "/proc/net/dev"), "cannot list network interfaces"),
    "mounts": Look("awk", only_when("awk", "'var/lib/kubelet'"), "cannot list mounts"),
    "sockets": Look("awk", only_when("awk", "'/proc/net/tcp'"), "cannot read /proc/net/tcp"),
    "processes": Look(
        "grep", only_when("grep", "containerd-shim", code=137), "cannot list processes"
    ),
    "folders": Look("find", only_when("find", "maxdepth"), "cannot list /etc/kubernetes"),
    "files": Look("find", only_when("find", "print"), "cannot search /etc/kubernetes/pki"),
}
FAILING = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


def fail(machine: Machine, look: Look) -> None:
    machine.path("/etc/kubernetes/pki").mkdir(parents=True)
    machine.program(look.program, look.body)


@FAILING
def test_what_verifying_cannot_look_at_is_told(machine: Machine, look: Look) -> None:
    fail(machine, look)
    done = machine.run(VERIFY)
    assert done.returncode == 87, done.stderr
    assert look.trace in done.stdout.splitlines()


@FAILING
def test_a_server_that_a_probe_cannot_look_at_is_no_spare(machine: Machine, look: Look) -> None:
    machine.path("/var/lib/rpool/claim").unlink()
    fail(machine, look)
    done = machine.run(PROBE)
    assert done.returncode == 0, done.stderr
    assert look.trace in json.loads(done.stdout)["traces"]


@FAILING
def test_a_server_that_cannot_be_looked_at_is_not_claimed(machine: Machine, look: Look) -> None:
    machine.path("/var/lib/rpool/claim").unlink()
    fail(machine, look)
    done = machine.run(TAKE)
    assert done.returncode == 84, done.stderr
    assert look.trace in done.stdout.splitlines()
    assert not machine.path("/var/lib/rpool/claim").exists()


@pytest.mark.parametrize("look", ["trace_mounts", "left_containers", "left_address"])
def test_a_look_that_dies_does_not_give_up_the_claim(machine: Machine, look: str) -> None:
    """However it ends, killed for memory perhaps: what it did not report is not clean."""
    dying = RESET.replace(f"\n    {look}\n", "\n    exit 9\n")
    assert dying != RESET
    assert machine.run(dying).returncode != 0
    assert machine.path("/var/lib/rpool/claim").exists()


def test_a_look_that_fails_hides_nothing_of_the_others(machine: Machine) -> None:
    machine.program("nft", "echo 'table ip nat {'; echo 'chain KUBE-MARK-MASQ {'")
    machine.program("awk", only_when("awk", "/proc/net/dev"))
    done = machine.run(RESET)
    assert done.returncode == 87, done.stderr
    assert done.stdout.splitlines() == [
        "cannot list network interfaces",
        "chain KUBE-MARK-MASQ in ip nat",
    ]
    assert machine.path("/var/lib/rpool/claim").exists()


@pytest.mark.parametrize(
    ("program", "body", "trace"),
    [
        ("ctr", "exit 1", "cannot list containers: containerd does not answer"),
        ("ip", "exit 1", "cannot list addresses"),
    ],
)
def test_a_reset_that_cannot_look_at_what_it_removed_keeps_the_claim(
    machine: Machine, program: str, body: str, trace: str
) -> None:
    machine.program(program, body)
    done = machine.run(LISTEN + RESET)
    assert (done.returncode, done.stdout) == (87, f"{trace}\n"), done.stderr
    assert machine.path("/var/lib/rpool/claim").exists()


def test_a_containerd_that_does_not_run_is_no_reason_to_keep_a_server(machine: Machine) -> None:
    """It may have left its socket behind; no container runs without it and its shims."""
    machine.program("ctr", "exit 1")
    machine.program("systemctl", 'case "$*" in *is-active*) exit 3 ;; esac')
    done = machine.run(LISTEN + RESET)
    assert (done.returncode, done.stdout) == (0, NO_LIST), done.stderr
    assert not machine.path("/var/lib/rpool").exists()


def test_a_bare_server_without_any_of_the_tools_is_clean(machine: Machine) -> None:
    """No nft, iptables or ctr: nothing of Kubernetes can have been made with them."""
    for name in ("nft", "ctr", "crictl", "iptables-save", "ip6tables-save"):
        (machine.root / "bin" / name).unlink()
    bare = machine.root / "bin"
    needed = "sh awk mawk gawk sed grep sort find cat tail timeout rm rmdir mkdir mktemp mv sync"
    more = "flock cut chmod ip uname tr date xargs true mountpoint printf head"
    for name in f"{needed} {more}".split():
        located = subprocess.run(["which", name], capture_output=True, text=True, check=False)
        if located.returncode == 0 and not (bare / name).exists():
            (bare / name).symlink_to(os.path.realpath(located.stdout.strip()))
    alone = f"PATH={bare}\nexport PATH\n"
    done = machine.run(alone + VERIFY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = machine.run(alone + RESET)
    assert (done.returncode, done.stdout) == (0, NO_LIST), done.stderr
    assert not machine.path("/var/lib/rpool").exists()


STRANGER = """
import os, socket, time
os.setuid(65534)
listening = socket.socket()
listening.bind(("0.0.0.0", 10250))
listening.listen()
open("/proc/self/comm", "w").write("containerd-shim")
print(flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("options", "fill", "how"),
    [
        ("size=64k", "", []),
        ("size=64k", "head -c 1m /dev/zero >/var/lib/rpool/a || true", ["full"]),
        ("nr_inodes=3", "touch /var/lib/rpool/a /var/lib/rpool/b", ["out of inodes"]),
        ("size=0,nr_inodes=0", "touch /var/lib/rpool/a", []),
        ("ro", "", ["read-only"]),
    ],
)
def test_a_file_system_that_takes_nothing_more_is_seen(
    machine: Machine, options: str, fill: str, how: list[str]
) -> None:
    mount = f"mount -t tmpfs -o {options} none /var/lib/rpool\n{fill}\n"
    probed = machine.run(f"mkdir -p /var/lib/rpool\n{mount}sh -s <<'END'\n{PROBE}END\n")
    assert json.loads(probed.stdout)["unwritable"] == how


@pytest.mark.parametrize("named", ["perl", "rpool-trial"])
def test_a_trial_of_the_ports_is_no_trace(machine: Machine, named: str) -> None:
    """Another cluster that may take the server has begun one."""
    trial = resources.files("rpool.reach").joinpath("scripts/trial.pl").read_text()
    assert trial.count("'rpool-trial'") == trial.count("'>', '/proc/self/comm'") == 1
    machine.file("/etc/trial.pl", trial.replace("'rpool-trial'", f"'{named}'"))
    begin = "perl /etc/trial.pl 60 word r1u04 1500 tcp/10250 r1u05:tcp/10250 '' &\n"
    await_it = "until grep -q :280A /proc/net/tcp; do sleep 0.05; done\n"
    mount = "mount -t proc none /proc\nip link set lo up\n"
    probed = machine.run(f"{mount}{begin}{await_it}sh -s <<'END'\n{PROBE}END\nkill $!\n")
    traces = json.loads(probed.stdout)["traces"]
    assert ("process kubelet, or another, on port 10250" in traces) is (named == "perl")


HIDES = """
import ctypes, os, socket, sys, time
kubelet = socket.create_server(("127.0.0.1", 10250))
if os.fork():
    time.sleep(60)
kubelet.close()
os.setuid(12345)
libc = ctypes.CDLL(None)
libc.prctl(15, b"rpool-trial", 0, 0, 0)
libc.prctl(4, 0, 0, 0, 0)  # most of its folder in /proc is root's now
open("/tmp/ready", "w")
time.sleep(60)
"""


def test_nobody_but_root_passes_for_a_trial(machine: Machine) -> None:
    machine.file("/etc/hides.py", HIDES)
    mount = "mount -t proc none /proc\nmount -t tmpfs -o mode=1777 none /tmp\nip link set lo up\n"
    begin = "python3 /etc/hides.py &\nuntil [ -e /tmp/ready ]; do sleep 0.05; done\n"
    probed = machine.run(f"{mount}{begin}sh -s <<'END'\n{PROBE}END\nkill $!\n")
    traces = json.loads(probed.stdout)["traces"]
    assert "process kubelet, or another, on port 10250" in traces


@pytest.mark.parametrize("is_root", [False, True])
def test_only_root_s_processes_are_traces(machine: Machine, is_root: bool) -> None:
    """Otherwise any user could make a server dirty, and each reset fail."""
    code = STRANGER.replace("os.setuid(65534)\n", "" if is_root else "os.setuid(65534)\n")
    begin = f"{{ python3 -c '{code}' k8s.io & }} | read -r _\n"
    probed = machine.run(f"mount -t proc none /proc\n{begin}sh -s <<'END'\n{PROBE}END\n")
    traces = json.loads(probed.stdout)["traces"]
    assert ("process kubelet, or another, on port 10250" in traces) is is_root
    assert ("process containerd-shim of Kubernetes" in traces) is is_root


SETUID = """
for named in containerd-shim rpool-trial; do
    cp "$(command -v tail)" "/run/$named"
    chmod 4755 "/run/$named"
    setpriv --reuid 12345 --clear-groups "/run/$named" -f /dev/null k8s.io >/dev/null 2>&1 &
    until grep -qsx "$named" "/proc/$!/comm"; do :; done
done
"""


def test_a_user_s_setuid_program_is_no_trace_and_hides_none(machine: Machine) -> None:
    """It has root's rights, and the name that the user has given it."""
    kubelet = STRANGER.replace("os.setuid(65534)\n", "").replace("containerd-shim", "kubelet")
    mount = "mount -t proc none /proc\nmount -t tmpfs -o mode=755 none /run\n"
    begin = f"{{ python3 -c '{kubelet}' & }} | read -r _\n"
    probed = machine.run(f"{mount}{begin}{SETUID}sh -s <<'END'\n{PROBE}END\n")
    traces = json.loads(probed.stdout)["traces"]
    assert "process kubelet, or another, on port 10250" in traces
    assert "process containerd-shim of Kubernetes" not in traces
