"""Makes the Debian that the lab's servers run, once for all servers and labs."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from lab.cache import Cache, made
from lab.command import run
from lab.host import debian_mirror

SUITE = "trixie"
HERE = Path(__file__).parent
# What an installer leaves on a server's disk, and what kubeadm wants of any system.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "openssh-server", "sudo", "kmod", "procps",
    "iproute2", "iptables", "nftables", "conntrack", "socat", "ethtool", "iputils-ping",
    "iputils-arping", "python3", "python3-apt", "curl", "ca-certificates", "gpg", "less",
    "netbase", "util-linux-extra",
)  # fmt: skip


def guest_root(cache: Cache) -> Path:
    """The folder with the servers' system; its name changes with what is put into it."""
    return made(cache.guests / f"{SUITE}-{_key()}", f"installing Debian {SUITE}", _make)


def _key() -> str:
    files = sorted(
        path for path in [*HERE.rglob("files/**/*"), HERE / "configure.sh"] if path.is_file()
    )
    text = "\n".join(
        [*PACKAGES, os.uname().release]
        + [f"{path.relative_to(HERE)} {path.read_bytes()!r}" for path in files]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _make(folder: Path) -> None:
    run(
        "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}",
        SUITE, folder, debian_mirror(),
    )  # fmt: skip
    shutil.copytree(HERE / "files", folder, dirs_exist_ok=True)
    run(
        "chroot", folder, "sh", "-s", "--", os.uname().release,
        stdin=(HERE / "configure.sh").read_bytes(),
    )  # fmt: skip
