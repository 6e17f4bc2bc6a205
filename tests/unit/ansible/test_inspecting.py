"""What an inspection finds on one server: the real script, on servers that lack something."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.machine import Machine
from worlds.samples import NODE, SPEC

from rpool.decide.inspection import errors, warnings
from rpool.decide.trials import trials
from rpool.model.inspection import Inspected
from rpool.model.pool import Kubeadm
from rpool.model.server import Role
from rpool.reach import inspecting

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

NAME = NODE.name
HEAD = {NAME: Role.CONTROL_PLANE}
WANTED = replace(SPEC, kubernetes_version="1.37.0", kubeadm=Kubeadm())
TRIAL = trials(WANTED, HEAD, {})[NAME]
# A network with the server's address, and version 2 of control groups.
AT_HOME = (
    f"ip link set lo up\nip link add eth0 type veth\nip addr add {NODE.address}/24 dev eth0\n"
    "ip link set eth0 up mtu 1450\nmount -t cgroup2 none /sys/fs/cgroup\n"
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine.make(tmp_path)
    made.file("/run/systemd/system/there", "")
    made.file("/etc/os-release", 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    made.file("/etc/resolv.conf", "nameserver 127.0.0.53\nnameserver 10.0.0.1\n")
    made.program("systemctl", "exit 3")
    made.program("systemd-detect-virt", "exit 1")
    made.program("timedatectl", "echo yes")
    made.program("containerd", "echo containerd github.com/containerd/containerd v2.1.4 0123456")
    return made


def inspected(machine: Machine, first: str = "") -> Inspected:
    script = inspecting.script(NODE, {}, replace(TRIAL, seconds=5))
    assignments = script.rpartition("\nmain")
    done = machine.run(f"{assignments[0]}\n{AT_HOME}{first}{assignments[1]}{assignments[2]}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return inspecting.inspected(NAME, TRIAL, done.stdout.encode())


def wrong(result: Inspected) -> list[str]:
    return errors(WANTED, HEAD, {NAME: result}).get(NAME, [])


def warned(result: Inspected) -> list[str]:
    return warnings(WANTED, HEAD, {NAME: result})


def test_a_server_that_is_as_it_should_be_has_nothing_said_of_it(machine: Machine) -> None:
    before = machine.snapshot()
    result = inspected(machine)
    assert wrong(result) == []
    assert [text for text in warned(result) if "a write to the disk" not in text] == []
    assert machine.snapshot() == before
    assert (result.interface, result.mtu, result.containerd) == ("eth0", 1450, "v2.1.4")
    assert result.synchronized is True
    assert result.write_ms is not None
    assert [folder.path for folder in result.folders] == [
        "/var/lib/etcd",
        "/var/lib/kubelet",
        "/var/lib/containerd",
    ]


def test_another_system_is_told_by_its_name(machine: Machine) -> None:
    machine.file("/etc/os-release", 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.20"\n')
    machine.path("/run/systemd/system/there").unlink()
    machine.path("/run/systemd/system").rmdir()
    system, init = wrong(inspected(machine))
    assert system == "it runs Alpine Linux v3.20, and only Debian and Ubuntu can be prepared"
    assert init.startswith("it is not run by systemd")


def test_ubuntu_and_what_is_like_it_will_do(machine: Machine) -> None:
    machine.file("/etc/os-release", "ID=mint\nID_LIKE='ubuntu debian'\n")
    assert wrong(inspected(machine)) == []


def test_the_first_version_of_control_groups_is_told(machine: Machine) -> None:
    (problem,) = wrong(inspected(machine, "umount /sys/fs/cgroup\n"))
    assert problem.startswith("it has version 1 of control groups (tmpfs at /sys/fs/cgroup)")


def test_a_disk_without_room_or_inodes_and_one_that_cannot_be_written_are_told(
    machine: Machine,
) -> None:
    for name in ("etcd", "kubelet", "containerd"):
        machine.path(f"/var/lib/{name}").mkdir()
    mounts = (
        "mount -t tmpfs -o ro none /var/lib/etcd\n"
        "mount -t tmpfs -o size=2g,nr_inodes=5000 none /var/lib/kubelet\n"
        "mount -t tmpfs -o size=100m none /var/lib/containerd\n"
    )
    assert wrong(inspected(machine, mounts)) == [
        "nothing can be written to /var/lib/etcd: /var/lib/etcd is mounted read-only",
        (
            "/var/lib/kubelet, for /var/lib/kubelet, has 4999 inodes free, and 20000 are needed: "
            "remove files there"
        ),
        (
            "/var/lib/containerd has 100 MiB free, and 3072 MiB are needed, for "
            "/var/lib/containerd: free some, or give these a larger disk"
        ),
    ]


def test_a_slow_disk_is_warned_of_with_the_time(machine: Machine) -> None:
    machine.program("dd", "echo '23000 bytes (23 kB, 22 KiB) copied, 1.2 s, 19 kB/s' >&2")
    result = inspected(machine)
    assert result.write_ms == 120
    assert warned(result)[0].startswith(
        f"{NAME}: a write to the disk of /var/lib/etcd takes 120 ms, and etcd wants 10"
    )


def test_what_an_inspection_left_that_was_killed_is_gone_after_the_next(machine: Machine) -> None:
    machine.file("/var/lib/.rpool-written.abcdef", "")
    inspected(machine)
    assert not machine.path("/var/lib/.rpool-written.abcdef").exists()


def test_swap_for_which_there_is_no_memory_is_told(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "swaps").write_text("Filename Type Size Used Priority\n/x file 9 8388608 -2\n")
    (tmp_path / "meminfo").write_text("MemAvailable: 1048576 kB\n")
    mounts = "".join(
        f"mount --bind {shlex.quote(str(tmp_path / name))} /proc/{name}\n"
        for name in ("swaps", "meminfo")
    )
    assert wrong(inspected(machine, mounts)) == [
        (
            "8192 MiB are in its swap, which is to be switched off, and only 1024 MiB of memory "
            "are free: stop what uses so much"
        )
    ]


def test_a_kernel_without_its_modules_is_told(machine: Machine) -> None:
    machine.program("modprobe", 'case "$*" in *br_netfilter) exit 1 ;; esac')
    problems = wrong(inspected(machine))
    assert len(problems) == 1
    assert "has no module br_netfilter: reboot it if the kernel was updated" in problems[0]


def test_a_resolver_on_the_server_itself_is_warned_of(machine: Machine) -> None:
    machine.file("/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver ::1\n")
    texts = [text for text in warned(inspected(machine)) if "resolv.conf" in text]
    assert texts[0].startswith(f"{NAME}: /etc/resolv.conf names 127.0.0.1, ::1, the server itself")


def test_a_clock_that_nothing_sets_is_warned_of_but_in_a_container(machine: Machine) -> None:
    machine.program("timedatectl", "echo no")
    warning = f"{NAME}: its clock is not synchronized: run chrony or systemd-timesyncd"
    assert warning in warned(inspected(machine))
    machine.program("systemd-detect-virt", "exit 0")
    assert warning not in warned(inspected(machine))


def test_a_containerd_of_the_first_version_is_told_be_it_there_or_to_come(
    machine: Machine,
) -> None:
    machine.program("containerd", "echo containerd github.com/containerd/containerd 1.7.24 1")
    (problem,) = wrong(inspected(machine))
    assert problem.startswith(
        "it has containerd 1.7.24, and since 1.37 Kubernetes needs containerd 2"
    )
    (machine.root / "bin/containerd").unlink()
    machine.program("apt-cache", "echo '  Installed: (none)'; echo '  Candidate: 1.7.24~ds1-6'")
    result = inspected(machine)
    if not result.containerd:  # this machine may have one of its own
        (problem,) = wrong(result)
        assert problem.startswith(
            "its package sources have containerd 1.7.24~ds1-6, and since 1.37"
        )


def test_firewalls_that_are_up_are_named(machine: Machine) -> None:
    machine.file("/etc/ufw/ufw.conf", "ENABLED=yes\n")
    machine.program("systemctl", 'case "$*" in *firewalld) exit 0 ;; esac; exit 3')
    chain = "type filter hook input priority filter; policy drop;"
    machine.program("nft", f"printf 'table inet guard {{\\n chain in {{\\n  {chain}\\n }}\\n}}\\n'")
    assert inspected(machine).firewalls == ("ufw", "firewalld", "nft table inet guard")


def test_a_member_is_not_looked_at_itself(machine: Machine) -> None:
    member = replace(TRIAL, joins=None, listens=(), seconds=5)
    script = inspecting.script(NODE, {}, member)
    before = machine.snapshot()
    done = machine.run(AT_HOME + script)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["interface", "mtu", "mac"]
    assert machine.snapshot() == before
