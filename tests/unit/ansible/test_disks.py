"""Resets of servers with volumes in use, and with disks that take nothing any more."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from worlds.fakes import site
from worlds.machine import Machine

from rpool.model import action as act
from rpool.model.claim import Ownership, Phase
from rpool.reach import cni
from rpool.reach.render import render
from rpool.reach.script import compose

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

OURS = Ownership("0badcafe", 3)
RESET = render(act.Reset("r1u04", OURS, None), site(), 60)
LEAVE = render(act.SetPhase("r1u04", OURS, Phase.LEAVING), site(), 60)
MEMBER = render(act.SetPhase("r1u04", OURS, Phase.MEMBER), site(), 60)
PROBE = compose(("library", "traces", "probe"), cni.TRACES)
VOLUME = "/var/lib/kubelet/pods/uid/volumes/kubernetes.io~csi/pvc-1/mount"
REBOOT = "volumes are still in use here: reboot it, which releases them, and reset it again"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.make(tmp_path)
    claim = json.dumps(
        {"format": 1, "uid": OURS.uid, "epoch": 3, "phase": "member", "server": "r1u04"}, indent=1
    )
    machine.file("/var/lib/rpool/claim", f"{claim}\n")
    return machine


def phase(machine: Machine) -> str:
    return str(json.loads(machine.path("/var/lib/rpool/claim").read_text())["phase"])


# -- volumes ---------------------------------------------------------------------------------------

ON_A_DISK = f"""
mkdir -p {VOLUME}
truncate -s 4M /opt/disk
mkfs.ext4 -q /opt/disk
mount -o loop /opt/disk {VOLUME}
"""
IN_MEMORY = f"mkdir -p {VOLUME}\nmount -t tmpfs none {VOLUME}\n"
WRITE = f"sh -c 'while echo more; do sleep 0.05; done' >{VOLUME}/log &\n"
STILL_MOUNTED = f"grep -c ' {VOLUME} ' /proc/self/mountinfo >&2 || true\n"


def reset_after(machine: Machine, before: str) -> subprocess.CompletedProcess[str]:
    run = f"sh -s <<'LAST' || code=$?\n{RESET}LAST\n{STILL_MOUNTED}exit ${{code:-0}}\n"
    return machine.run(before + run)


def test_a_volume_of_a_disk_that_is_written_to_stays_in_sight(machine: Machine) -> None:
    """Its disk may be attached elsewhere by now: two would write to one file system."""
    done = reset_after(machine, ON_A_DISK + WRITE)
    assert done.returncode == 87, done.stderr
    assert f"mount {VOLUME}" in done.stdout.splitlines()
    assert REBOOT in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1] == "1"
    assert machine.path("/var/lib/rpool/claim").exists()


@pytest.mark.parametrize(
    "before", [ON_A_DISK, IN_MEMORY, IN_MEMORY + WRITE], ids=["disk", "memory", "memory, in use"]
)
def test_what_nobody_uses_or_no_disk_backs_is_no_reason_to_keep_a_server(
    machine: Machine, before: str
) -> None:
    done = reset_after(machine, before)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not machine.path("/var/lib/rpool/claim").exists()


DEVICES = {
    "rbd": ("mkdir -p /sys/class/block/rbd0", "device rbd0"),
    "a partition of rbd": ("mkdir -p /sys/class/block/rbd0p1", None),
    "nbd": ("mkdir -p /sys/class/block/nbd3; touch /sys/class/block/nbd3/pid", "device nbd3"),
    "nbd without a server": ("mkdir -p /sys/class/block/nbd3", None),
    "device mapper": (
        "mkdir -p /sys/class/block/dm-2/dm; echo luks-pvc-12 >/sys/class/block/dm-2/dm/name",
        "device dm-2, luks-pvc-12",
    ),
    "its own": (
        "mkdir -p /sys/class/block/dm-2/dm; echo vg-x >/sys/class/block/dm-2/dm/name",
        None,
    ),
    "iSCSI": ("{0}", "session of iSCSI with iqn.2026-01.org:a"),
    "iSCSI by hand": ("{0}; {1} manual >{2}", "session of iSCSI with iqn.2026-01.org:a"),
    "iSCSI since boot": ("{0}; {1} automatic >{2}", None),
    "a disk that is read": ("mkdir -p /sys/class/block/dm-2/dm/name", "cannot read {3}"),
}
SESSION = "/sys/class/iscsi_session/session1"
WORDS = (
    f"mkdir -p {SESSION}; echo iqn.2026-01.org:a >{SESSION}/targetname",
    "mkdir -p /etc/iscsi/nodes/iqn.2026-01.org:a/10.0.0.1,3260; echo node.startup =",
    "/etc/iscsi/nodes/iqn.2026-01.org:a/10.0.0.1,3260/default",
    "/sys/class/block/dm-2/dm/name",
)


@pytest.mark.parametrize(("made", "trace"), DEVICES.values(), ids=DEVICES)
def test_a_device_that_a_volume_has_left_is_a_trace(
    machine: Machine, made: str, trace: str | None
) -> None:
    there = f"mount -t tmpfs none /sys/class\n{made.format(*WORDS)}\n"
    expected = [trace.format(*WORDS)] if trace else []
    probed = machine.run(there + PROBE)
    assert json.loads(probed.stdout)["traces"] == expected
    done = machine.run(there + RESET)
    assert (done.returncode == 87) is bool(trace), done.stderr
    assert (REBOOT in done.stderr) is (bool(trace) and "cannot" not in expected[0])


# -- disks that take nothing -----------------------------------------------------------------------

FULL = """
cp -a /var/lib/rpool /opt/rpool
mount -t tmpfs -o size=64k none /var/lib/rpool
cp -a /opt/rpool/. /var/lib/rpool
dd if=/dev/zero of=/var/lib/rpool/ballast bs=4k 2>/dev/null || true
"""
READ_ONLY = """
mount --bind /var/lib/rpool /var/lib/rpool
mount -o remount,ro,bind /var/lib/rpool
"""
SHOW = "cp /var/lib/rpool/claim /opt/shown 2>/dev/null && cat /opt/shown >&2\n"


def on(machine: Machine, disk: str, script: str) -> subprocess.CompletedProcess[str]:
    return machine.run(f"{disk}sh -s <<'LAST' || code=$?\n{script}LAST\n{SHOW}exit ${{code:-0}}\n")


@pytest.mark.parametrize("disk", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_disk_that_takes_nothing_does_not_keep_a_server(machine: Machine, disk: str) -> None:
    """That it is leaving is advice to others; the claim stays whole."""
    done = on(machine, disk, LEAVE)
    assert done.returncode == 0, done.stderr
    assert "the claim cannot be written: its phase stays member" in done.stderr
    assert '"phase": "member"' in done.stderr
    assert not list(machine.path("/var/lib/rpool").glob("*.new"))


@pytest.mark.parametrize("disk", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_server_does_not_become_a_member_without_saying_so(machine: Machine, disk: str) -> None:
    machine.file(
        "/var/lib/rpool/claim",
        machine.path("/var/lib/rpool/claim").read_text().replace('"member"', '"bootstrapping"'),
    )
    done = on(machine, disk, MEMBER)
    assert done.returncode == 1, done.stdout
    assert "the claim cannot be written, and is as it was" in done.stderr
    assert '"phase": "bootstrapping"' in done.stderr


def test_a_server_with_a_full_disk_is_reset(machine: Machine) -> None:
    done = on(machine, FULL, RESET)
    assert done.returncode == 0, done.stderr
    assert '"phase"' not in done.stderr


def test_what_was_kept_and_has_no_room_says_so_and_is_not_lost(machine: Machine) -> None:
    machine.file("/etc/containerd/config.toml", "somebody's\n")
    put = "put /etc/containerd/config.toml '# Written by rpool'\n"
    assert machine.role(put).returncode == 0
    machine.program("cp", 'echo "cp: No space left on device" >&2; : >"$3"; exit 1')
    done = machine.run(RESET)
    assert done.returncode == 1
    why = "cannot be put back: make room on its disk, and reset this server again"
    assert done.stderr.splitlines()[-2:] == [
        "cp: No space left on device",
        f"/etc/containerd/config.toml {why}",
    ]
    (machine.root / "bin/cp").unlink()
    done = machine.run(RESET)
    assert done.returncode == 0, done.stderr
    assert machine.path("/etc/containerd/config.toml").read_text() == "somebody's\n"


def test_a_reset_on_a_read_only_disk_says_what_to_do(machine: Machine) -> None:
    done = on(machine, READ_ONLY, RESET)
    assert done.returncode == 1
    reason = next(line for line in done.stderr.splitlines() if "read-only" in line)
    assert reason.startswith("the disk with /var/lib/rpool is read-only here")
    assert "repair it, reboot, and reset this server again" in reason
    assert '"phase": "member"' in done.stderr
