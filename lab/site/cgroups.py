"""Control groups: what a server's processes are held in, frozen by, and killed with.

The machine's own hierarchies are never mounted, moved or changed; the lab makes children. A
group that saw `cgroup.kill` may kill what is put into it later (seen on a 6.18 kernel), so
it is removed, in every hierarchy, before the next boot.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from lab.command import LabError

TOP = "rpool-lab"
SETTLE_SECONDS = 20.0


def hierarchies() -> list[Path]:
    """Where version 1 and 2 control groups are mounted on this machine."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(mount[1]) for mount in mounts if mount[2] in ("cgroup", "cgroup2")]


def unified() -> Path:
    """Where version 2 is mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in mounts:
        if mount[2] == "cgroup2":
            return Path(mount[1])
    raise LabError("this machine has no cgroup v2 hierarchy")


def make(*names: str) -> None:
    """Make the group `rpool-lab/names...` in every hierarchy."""
    for hierarchy in hierarchies():
        group = hierarchy / TOP
        if not group.is_dir():
            group.mkdir(exist_ok=True)
            _share_cpus(group)
        for name in names:
            group /= name
            group.mkdir(exist_ok=True)


def _share_cpus(group: Path) -> None:
    """Copy the parent's CPUs: a version 1 cpuset starts empty, and nothing can run in it."""
    if not (group / "cgroup.clone_children").exists() or not (group / "cpuset.cpus").exists():
        return
    for setting in ("cpuset.cpus", "cpuset.mems"):
        (group / setting).write_text((group.parent / setting).read_text())
    (group / "cgroup.clone_children").write_text("1")


def groups(*names: str) -> list[Path]:
    """The group in every hierarchy."""
    return [hierarchy.joinpath(TOP, *names) for hierarchy in hierarchies()]


def is_populated(*names: str) -> bool:
    """Whether a process is in the group or below."""
    return _fact("populated", *names)


def is_frozen(*names: str) -> bool:
    return _fact("frozen", *names)


def _fact(name: str, *names: str) -> bool:
    events = unified().joinpath(TOP, *names, "cgroup.events")
    try:
        return f"{name} 1" in events.read_text()
    except FileNotFoundError:
        return False


def commands(*names: str) -> list[str]:
    """The command line of each process in the group and below."""
    lines = []
    for group, _, _ in os.walk(unified().joinpath(TOP, *names)):  # walks on past a group that goes
        with suppress(OSError):  # a group, or a process, that has just gone
            for process in Path(group, "cgroup.procs").read_text().split():
                with suppress(OSError):
                    words = Path("/proc", process, "cmdline").read_bytes()
                    lines.append(words.decode(errors="replace").replace("\0", " ").strip())
    return lines


def freeze(frozen: bool, *names: str) -> None:
    """Stop or continue every process of the group; returns once it is so."""
    group = unified().joinpath(TOP, *names)
    (group / "cgroup.freeze").write_text("1" if frozen else "0")
    _wait(lambda: is_frozen(*names) == frozen, f"{group} does not freeze or thaw")


def kill(*names: str) -> None:
    """End every process of the group and below at once; returns when all are gone."""
    switch = unified().joinpath(TOP, *names, "cgroup.kill")
    if switch.exists():
        switch.write_text("1")
        _wait(lambda: not is_populated(*names), f"processes in {switch.parent} do not die")


def remove(*names: str) -> None:
    """Remove the group in every hierarchy; it must have no process."""
    for group in groups(*names):
        if group.is_dir():
            _wait(partial(_removed, group), f"{group} can't be removed")


def _removed(group: Path) -> bool:
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    except FileNotFoundError:
        return not group.exists()
    except OSError:  # busy while the kernel still ends a process
        return False
    return True


def _wait(done: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise LabError(complaint)
        time.sleep(0.01)
