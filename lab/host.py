"""What the lab needs of the machine that it runs on: root, Debian, and some packages.

apt already knows its mirrors, so the lab asks apt for them and names none itself.
"""

from __future__ import annotations

import os
import shutil

from lab.command import LabError, run
from lab.progress import say, step

# program that must be there -> Debian package that brings it
NEEDED = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "nft": "nftables",
    "docker-registry": "docker-registry",
    "dpkg-deb": "dpkg",
    "ip": "iproute2",
    "gpg": "gpg",
    "gcc": "gcc",
    "ssh": "openssh-client",
    "nsenter": "util-linux",
}


def require_root() -> None:
    """Raise unless this is root: the lab makes namespaces, mounts and control groups."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces, mounts and cgroups")


def require_go() -> None:
    """Raise unless Go is installed: Kubernetes is built from its Go modules."""
    if shutil.which("go") is None:
        raise LabError("the lab builds Kubernetes from Go modules, and `go` is not installed")


def install_needed() -> None:
    """Install what is missing by apt, saying so."""
    missing = sorted({package for program, package in NEEDED.items() if not shutil.which(program)})
    if not missing:
        return
    say(f"this machine lacks {', '.join(missing)}: installing by apt-get")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step("apt-get update"):
        run("apt-get", "update", "-q", env=quiet)
    with step("apt-get install " + " ".join(missing)):
        run("apt-get", "install", "-qy", "--no-install-recommends", *missing, env=quiet)


def debian_mirror() -> str:
    """The address of this machine's own Debian mirror, as apt knows it."""
    return debian_mirrors()[""]


def debian_mirrors() -> dict[str, str]:
    """The addresses of this machine's Debian mirrors, by the suffix of the suite's name.

    The suffix "" is always there, "-security" where apt knows of such a mirror.
    """
    mirrors = _listed_mirrors()
    if not mirrors and os.geteuid() == 0:  # a new machine: apt has no lists yet
        with step("apt-get update"):
            run("apt-get", "update", "-q")
        mirrors = _listed_mirrors()
    if "" not in mirrors:
        raise LabError("apt lists no Debian mirror; run `apt-get update` once")
    return mirrors


def _listed_mirrors() -> dict[str, str]:
    listed = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(CODENAME)")
    mirrors: dict[str, str] = {}
    for line in listed.splitlines():
        address, _, rest = line.partition(" ")
        origin, _, codename = rest.partition(" ")
        _, dash, suffix = codename.partition("-")
        if origin == "Debian" and suffix in ("", "security"):
            mirrors.setdefault(dash + suffix, address)
    return mirrors
