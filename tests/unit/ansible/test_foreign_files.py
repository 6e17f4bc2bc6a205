"""Files of others that preparation changes: kept, never half written, and restored by a reset."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from worlds.fakes import site
from worlds.machine import SCRIPTS, Machine

from rpool.model import action as act
from rpool.model.claim import Ownership
from rpool.reach.render import render

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

SWAP = "UUID=1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n"
CONFIGURE = "SWAP=off\n" + (SCRIPTS / "configure.sh").read_text()
PUT = "put /etc/containerd/config.toml '# Written by rpool, version 3' containerd\n"
START = "IMAGES=\nMORE_IMAGES=\n" + (SCRIPTS / "start.sh").read_text()
RESET = render(act.Reset("r1u04", Ownership("0badcafe", 3), None), site(), 60)
CUT_DURING_THE_RENAME = 'case "$*" in *{0}) exit 9 ;; esac\nexec /bin/mv "$@"'


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.make(tmp_path)
    machine.file("/etc/fstab", SWAP)
    machine.path("/etc/fstab").chmod(0o640)
    for name in ("sync", "mv"):
        machine.program(name, f'exec /bin/{name} "$@"')
    return machine


def changes(machine: Machine, path: str) -> list[str]:
    """What was synced and renamed of the file and its folder, in order."""
    calls = [line for line in machine.calls.splitlines() if line.startswith(("sync ", "mv "))]
    folder = path.rpartition("/")[0]
    return [call for call in calls if f" {path}" in call or call == f"sync {folder}"]


RENAMED = ["sync {0}.rpool-new", "mv -fT {0}.rpool-new {0}", "sync {1}"]


def renamed(path: str) -> list[str]:
    return [call.format(path, path.rpartition("/")[0]) for call in RENAMED]


def test_fstab_is_on_the_disk_before_it_has_its_name(machine: Machine) -> None:
    done = machine.role(CONFIGURE)
    assert done.returncode == 0, done.stderr
    assert changes(machine, "/etc/fstab") == renamed("/etc/fstab")
    assert machine.path("/etc/fstab").stat().st_mode & 0o777 == 0o640
    (machine.root / "calls").unlink()
    assert machine.run(RESET).returncode == 0
    restored = [call.replace("mv -fT", "mv -f") for call in renamed("/etc/fstab")]
    assert changes(machine, "/etc/fstab") == restored
    assert machine.path("/etc/fstab").read_text() == SWAP
    assert machine.path("/etc/fstab").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("program", ["sed", "mv"])
def test_an_fstab_that_could_not_be_changed_is_as_it_was(machine: Machine, program: str) -> None:
    machine.program(program, CUT_DURING_THE_RENAME.format("fstab").replace("mv", program))
    assert machine.role(CONFIGURE).returncode != 0
    assert machine.path("/etc/fstab").read_text() == SWAP


def test_a_copy_of_fstab_is_kept_as_it_was_first(machine: Machine) -> None:
    machine.role(CONFIGURE)
    later = machine.path("/etc/fstab").read_text() + "/dev/sdb1 none swap sw 0 0\n"
    machine.file("/etc/fstab", later)
    machine.role(CONFIGURE)
    assert machine.path("/var/lib/rpool/prepared/kept/etc/fstab").read_text() == SWAP
    assert machine.run(RESET).returncode == 0
    # Not the copy: what its owner has changed since then stays.
    assert machine.path("/etc/fstab").read_text() == SWAP + "/dev/sdb1 none swap sw 0 0\n"


def test_a_link_stays_a_link(machine: Machine) -> None:
    fstab = machine.path("/etc/fstab")
    fstab.rename(machine.path("/etc/fstab.site"))
    fstab.symlink_to("fstab.site")
    assert machine.role(CONFIGURE).returncode == 0
    assert "#rpool# /dev/sda2" in machine.path("/etc/fstab.site").read_text()
    assert fstab.readlink() == Path("fstab.site")
    assert machine.run(RESET).returncode == 0
    assert fstab.readlink() == Path("fstab.site")
    assert machine.path("/etc/fstab.site").read_text() == SWAP


@pytest.mark.parametrize("leads", ["site.toml", "nowhere.toml"])
def test_a_link_in_the_place_of_a_file_of_ours_comes_back(machine: Machine, leads: str) -> None:
    machine.file("/etc/containerd/site.toml", "somebody's\n")
    link = machine.path("/etc/containerd/config.toml")
    link.symlink_to(leads)
    done = machine.role(PUT)
    assert done.returncode == 0, done.stderr
    assert "version 3" in link.read_text()
    assert machine.path("/etc/containerd/site.toml").read_text() == "somebody's\n"
    done = machine.run(RESET)
    assert done.returncode == 0, done.stderr
    assert link.readlink() == Path(leads)


def test_what_is_put_and_what_comes_back_is_on_the_disk_first(machine: Machine) -> None:
    path = "/etc/containerd/config.toml"
    machine.file(path, "somebody's\n")
    assert machine.role(PUT).returncode == 0
    assert changes(machine, path) == renamed(path)
    (machine.root / "calls").unlink()
    assert machine.run(RESET).returncode == 0
    assert changes(machine, path) == [call.replace("-fT", "-f") for call in renamed(path)]


def restarts(machine: Machine) -> int:
    return machine.calls.splitlines().count("systemctl restart containerd")


def test_a_restart_that_was_cut_off_is_done_by_the_next(machine: Machine) -> None:
    """By then the file is no change any more, and containerd runs with its old configuration."""
    assert machine.role(PUT).returncode == 0  # and killed before start.sh
    assert machine.role(PUT + START).returncode == 0
    assert restarts(machine) == 1
    assert machine.role(PUT + START).returncode == 0
    assert restarts(machine) == 1


def test_a_restart_that_failed_is_tried_again(machine: Machine) -> None:
    machine.program("systemctl", 'case "$*" in *restart*) exit 1 ;; esac')
    assert machine.role(PUT + START).returncode == 1
    machine.program("systemctl", "exit 0")
    assert machine.role(PUT + START).returncode == 0
    assert restarts(machine) == 2
