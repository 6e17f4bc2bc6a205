"""A machine for scripts that change one. Folders of the test are mounted over all that they change,
in namespaces of its own, and programs only write down how they were called.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "ansible/roles/server/files"
CLAIM = '{\n "format": 1,\n "uid": "0badcafe",\n "epoch": 3,\n "server": "r1u04"\n}\n'
NAMESPACES = ("--mount", "--net", "--pid", "--fork", "--mount-proc")
EMPTY = ("/root", "/opt", "/usr/libexec", "/usr/lib/systemd/system", "/sys/fs/cgroup")
MARKERS = ("systemctl", "systemd-run", "apt-mark", "kubeadm", "modprobe", "sysctl", "swapoff")
# A server on which containerd runs, as far as its socket tells.
LISTEN = (
    'mkdir -p /run/containerd\npython3 -c "import socket; socket.socket(socket.AF_UNIX)'
    ".bind('/run/containerd/containerd.sock')\"\n"
)


@dataclass(frozen=True)
class Machine:
    root: Path

    @classmethod
    def make(cls, root: Path) -> Machine:
        for folder in ("etc/alternatives", "var/lib/rpool", "var/log", "run", "bin"):
            (root / folder).mkdir(parents=True)
        machine = cls(root)
        for name in (*MARKERS, "ctr", "crictl", "nft"):
            machine.program(name, "exit 0")
        for name in ("iptables", "ip6tables"):
            machine.program(f"{name}-save", "exit 0")
        machine.file("/var/lib/rpool/claim", CLAIM)
        machine.file("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n")
        return machine

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        log = shlex.quote(str(self.root / "calls"))
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>{log}\n{body}\n')
        path.chmod(0o755)

    def path(self, path: str) -> Path:
        return self.root / path.removeprefix("/")

    def file(self, path: str, text: str) -> None:
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    @property
    def calls(self) -> str:
        log = self.root / "calls"
        return log.read_text() if log.exists() else ""

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script there by `sh -s`, as the engine does."""
        alternatives = shlex.quote(str(self.root / "etc/alternatives"))
        mounts = f"mount --bind /etc/alternatives {alternatives}\n"  # awk is a link to there
        mounts += "".join(
            f"mount --rbind {shlex.quote(str(self.root / folder))} /{folder}\n"
            for folder in ("etc", "var/lib", "var/log", "run")
        )
        mounts += "".join(f"mount -t tmpfs none {folder}\n" for folder in EMPTY)
        enter = f"set -e\n{mounts}PATH={shlex.quote(str(self.root / 'bin'))}:$PATH exec sh -s\n"
        return subprocess.run(
            [str(shutil.which("unshare")), *NAMESPACES, "sh", "-c", enter],
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )

    def role(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run lines with the functions of the role's library."""
        return self.run((SCRIPTS / "library.sh").read_text() + script)

    def snapshot(self) -> dict[str, tuple[int, str]]:
        """Everything below /etc and /var/lib, with mode and content."""
        return {
            str(path.relative_to(self.root)): (
                path.stat().st_mode,
                "" if path.is_dir() else path.read_text(),
            )
            for top in ("etc", "var/lib")
            for path in sorted((self.root / top).rglob("*"))
        }
