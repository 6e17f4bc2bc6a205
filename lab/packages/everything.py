"""Builds all that a lab serves for one Kubernetes version; quick when it is there already."""

from __future__ import annotations

from pathlib import Path

from lab.cache import Cache, locked, write
from lab.guest.root import guest_root
from lab.host import install_needed, require_go, require_root
from lab.packages import apt_repository, deb, debian, hello, image_list, manifests, programs
from lab.progress import say, step
from lab.versions import Release


def ensure(cache: Cache, release: Release) -> Path:
    """Build what is missing, and return the guest's root."""
    require_root()
    require_go()
    install_needed()
    with locked(cache):
        guest = guest_root(cache)
        stamp = cache.complete / f"{release.kubernetes}-{guest.name}-{hello.name()}"
        if not stamp.exists():
            _build(cache, release, guest)
            write(stamp, "")
            say(f"Kubernetes {release.kubernetes} and its companions are in {cache.root}")
    return guest


def _build(cache: Cache, release: Release, guest: Path) -> None:
    say("building from source; the first time takes 15 to 30 minutes on two cores")
    _debian(cache, guest)
    for program in [*programs.companions(release), programs.kubernetes(release)]:
        programs.built(cache, program)
    with step("packing and signing Debian packages"):
        folder = cache.www / "kubernetes" / release.minor / "deb"
        for package in deb.packages(cache, release):
            deb.write(package, folder)
        apt_repository.publish(cache, folder, "rpool lab: Kubernetes")
    served = manifests.publish(cache)
    image_list.publish(cache, release, guest, served)


def _debian(cache: Cache, guest: Path) -> None:
    with step("fetching Debian packages that servers install"):
        folder = cache.www / "debian"
        folder.mkdir(parents=True, exist_ok=True)
        debian.fetch(guest, folder)
        apt_repository.publish(cache, folder, "rpool lab: Debian")
