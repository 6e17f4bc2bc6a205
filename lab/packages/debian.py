"""The lab's Debian mirror: what a prepared server needs beyond its installation.

The packages are fetched once by the machine's own apt, against the state of the guest, so that
exactly what the guest lacks is fetched.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from lab.command import run
from lab.host import debian_mirror

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# trixie's containerd 1.7 lacks the RuntimeConfig call that kubeadm 1.37 requires
WANTED = ("containerd/forky", "runc/trixie", "chrony/trixie", "jq/trixie")


def fetch(guest: Path, folder: Path) -> None:
    """Download the wanted packages and what they need into the folder."""
    with tempfile.TemporaryDirectory(prefix="rpool-lab-apt-") as scratch:
        options = _options(guest, Path(scratch))
        run("apt-get", *options, "update", "-q")
        run("apt-get", *options, "install", "-qy", "--download-only",
            "--no-install-recommends", *WANTED)  # fmt: skip
        for deb in (Path(scratch) / "cache" / "archives").glob("*.deb"):
            # apt writes the epoch's colon as %3a, and a web client would read that as a colon
            (folder / deb.name.replace("%3a", "-")).write_bytes(deb.read_bytes())


def _options(guest: Path, scratch: Path) -> list[str]:
    """Make apt work on a state of its own, with the guest's list of installed packages."""
    mirror = debian_mirror()
    sources = scratch / "sources.list"
    sources.write_text(
        "".join(
            f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in ("trixie", "forky")
        )
    )
    for folder in ("state/lists/partial", "cache/archives/partial", "empty"):
        (scratch / folder).mkdir(parents=True)
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": scratch / "empty",
        "Dir::Etc::preferencesparts": scratch / "empty",
        "Dir::State": scratch / "state",
        "Dir::State::status": guest / "var/lib/dpkg/status",
        "Dir::Cache": scratch / "cache",
        "APT::Default-Release": "trixie",
        "APT::Sandbox::User": "root",
        # forky is not released: its Release file may count as expired
        "Acquire::Check-Valid-Until": "false",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
