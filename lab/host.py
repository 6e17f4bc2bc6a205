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
    """The lab makes namespaces, mounts and control groups."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces, mounts and cgroups")


def require_go() -> None:
    """Kubernetes is built from its Go modules."""
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
    """The addresses of this machine's Debian mirrors, by what a suite's name has after that of its
    release: "" always, and "-security" where apt knows of one.
    """
    found = _mirrors_in_apts_lists()
    if not found and os.geteuid() == 0:  # a new machine, where apt has asked none yet
        with step("apt-get update"):
            run("apt-get", "update", "-q")
        found = _mirrors_in_apts_lists()
    if "" not in found:
        raise LabError("apt lists no Debian mirror; run `apt-get update` once")
    return found


def _mirrors_in_apts_lists() -> dict[str, str]:
    listed = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(CODENAME)")
    found: dict[str, str] = {}
    for line in listed.splitlines():
        address, _, rest = line.partition(" ")
        origin, _, codename = rest.partition(" ")
        _, dash, after = codename.partition("-")
        if origin == "Debian" and after in ("", "security"):
            found.setdefault(dash + after, address)
    return found
