"""A system of busybox and terraform alone: no Python, no C library, no user's name, no home."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol.workspace import terraform

USER = 12345
HOST = "registry.test"
_LIBRARIES = ("libc.so.6", "libcrypto.so.3", "libffi.so.8", "libssl.so.3", "libz.so.1")
"""A program that loads one of these from the system, and not from its own archive, fails here. A
system with musl is like that, too: it has other libraries of these names.
"""
_DEVICES = {"null": (1, 3), "urandom": (1, 9)}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and all that it printed."""

    status: int
    output: str


class Bare:
    """Such a system in a folder. Its user may write /work and /tmp. `kept` is a folder that
    is /work there and outlives the system.
    """

    def __init__(
        self, folder: Path, busybox: Path, user: int = USER, kept: Path | None = None
    ) -> None:
        self.folder, self._user, self._kept = folder, user, kept
        for name in ("bin", "dev", "etc", "lib", "proc", "tmp", "work"):
            (folder / name).mkdir(parents=True)
        for name in _LIBRARIES:
            (folder / "lib" / name).write_text("no library\n")
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
        for path in [self.work, *self.work.rglob("*")]:
            os.chown(path, user, user)

    @property
    def work(self) -> Path:
        return self._kept or self.folder / "work"

    def run(self, *words: str, proc: bool = False, **environment: str) -> Ran:
        """Run a command there, as a user without a name, in /work. `proc`: with /proc mounted."""
        done = subprocess.run(
            self.command(*words, mounts=proc),
            env=self.environment(**environment),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout)

    def command(self, *words: str, mounts: bool = True, before: Sequence[str] = ()) -> list[str]:
        """The command that runs these words there; its process becomes theirs. `mounts`: with
        /proc, and the kept folder as /work.
        """
        user = f"--userspec={self._user}:{self._user}"
        inside = [_CHROOT, user, str(self.folder), "/bin/sh", "-c", 'cd /work && exec "$@"', "sh"]
        if mounts:
            kept = str(self._kept or "")
            outside = [_UNSHARE, "--mount", "/bin/sh", "-c", _MOUNTS, "sh", str(self.folder), kept]
            inside = [*outside, *inside]
        return [*map(_path, before[:1]), *before[1:], *inside, *words]

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": "/bin", "HOME": "/nowhere", "CHECKPOINT_DISABLE": "1", **more}


def _path(program: str) -> str:
    """A program's whole path: PATH is that of the bare system."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or program


_UNSHARE, _CHROOT, _MOUNT = map(_path, ("unshare", "chroot", "mount"))
_MOUNTS = f"""\
root=$1 kept=$2
shift 2
{_MOUNT} -t proc proc "$root/proc" || exit
if [ -n "$kept" ]; then {_MOUNT} --bind "$kept" "$root/work" || exit; fi
exec "$@"
"""
