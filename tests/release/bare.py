"""A system of busybox and terraform alone: no Python, no C library, no user's name, no home."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from protocol.workspace import terraform

USER = 12345
HOST = "registry.test"
_DEVICES = {"null": (1, 3), "urandom": (1, 9)}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and all that it printed."""

    status: int
    output: str


class Bare:
    """That system in a folder. What its user may write is /work and /tmp."""

    def __init__(self, folder: Path, busybox: Path) -> None:
        self.folder = folder
        for name in ("bin", "dev", "etc", "proc", "tmp", "work"):
            (folder / name).mkdir(parents=True)
        shutil.copyfile(busybox, folder / "bin/busybox")
        shutil.copyfile(terraform(), folder / "bin/terraform")
        for name in ("busybox", "terraform"):
            (folder / "bin" / name).chmod(0o755)
        for name in ("sh", "cat", "rm", "mkdir", "sleep", "readlink"):
            (folder / "bin" / name).symlink_to("busybox")
        for name, numbers in _DEVICES.items():
            os.mknod(folder / "dev" / name, stat.S_IFCHR, os.makedev(*numbers))
            (folder / "dev" / name).chmod(0o666)
        (folder / "dev/shm").mkdir()
        (folder / "etc/hosts").write_text(f"127.0.0.1 localhost {HOST}\n")
        for name in ("dev/shm", "tmp"):
            (folder / name).chmod(0o1777)
        os.chown(folder / "work", USER, USER)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def run(self, *words: str, proc: bool = False, **environment: str) -> Ran:
        """Run a command there, as a user of no name, in /work. `proc`: with /proc mounted."""
        told = {"PATH": "/bin", "HOME": "/nowhere", "CHECKPOINT_DISABLE": "1", **environment}
        done = subprocess.run(
            [*(_WITH_PROC if proc else ()), *_CHROOT, self.folder, *_IN_WORK, *words],
            env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout)


# By their whole paths: PATH is that of the system in there.
_UNSHARE, _MOUNT, _CHROOTS = (
    shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or name
    for name in ("unshare", "mount", "chroot")
)
_CHROOT = (_CHROOTS, f"--userspec={USER}:{USER}")
_PROC = f'{_MOUNT} -t proc proc "$3/proc" && exec "$@"'
_WITH_PROC = (_UNSHARE, "--mount", "/bin/sh", "-c", _PROC, "sh")
_IN_WORK = ("/bin/sh", "-c", 'cd /work && exec "$@"', "sh")
