"""The small system under images whose programs call others: iptables, nft, ip, cp.

Its files come from the guest's root, with the libraries that each program loads.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.command import run
from lab.packages.image import layer

PROGRAMS = (
    "bin/cp", "bin/dash", "sbin/xtables-nft-multi", "sbin/nft", "sbin/conntrack", "bin/ip",
    "bin/kmod",
)  # fmt: skip
LINKS = {
    "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
    "usr/bin/sh": "dash", "usr/sbin/ip": "../bin/ip", "usr/sbin/modprobe": "../bin/kmod",
    **{f"usr/sbin/{family}tables{verb}": "xtables-nft-multi"
       for family in ("ip", "ip6") for verb in ("", "-save", "-restore")},
    **{f"usr/sbin/{family}tables-nft{verb}": "xtables-nft-multi"
       for family in ("ip", "ip6") for verb in ("", "-save", "-restore")},
}  # fmt: skip
_LIBRARY = re.compile(r"(/\S+) \(0x")


def system_layer(guest: Path) -> bytes:
    """A layer with the programs, their libraries and iptables' extensions."""
    folder = guest / "usr"
    programs = [f"/usr/{program}" for program in PROGRAMS if (folder / program).exists()]
    extensions = [f"/{path.relative_to(guest)}" for path in folder.glob("lib/*/xtables/*.so")]
    paths = [*programs, *extensions, *_libraries(guest, [*programs, *extensions])]
    files = {path.lstrip("/"): (guest / path.lstrip("/")).resolve() for path in paths}
    return layer(files, LINKS)


def _libraries(guest: Path, programs: list[str]) -> list[str]:
    printed = run("chroot", guest, "ldd", *programs)
    # every path without the links /lib and /lib64, which the layer has as links
    paths = {re.sub(r"^/lib", "/usr/lib", path) for path in _LIBRARY.findall(printed)}
    return sorted(paths)
