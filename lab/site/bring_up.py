"""Brings a lab up and takes it down. Either may die at any point; the next one cleans up.

`down` does not need to know what `up` had reached: all that a lab makes carries its name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.cache import Cache, write
from lab.command import LabError, run
from lab.packages import apt_repository, everything
from lab.progress import say, step
from lab.site import cgroups, layout, machines, mirrors, network
from lab.site.layout import Lab
from lab.site.servers import Server, servers
from lab.versions import release_of

# a server's processes hold many inotify instances, and the machine's default is 128
KERNEL_LIMITS = {
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 1048576,
}
SAVED_LIMITS = layout.RUN / "limits.json"
# systemd-nspawn leaves a folder here for each machine that lost its power
PROPAGATE = Path("/run/systemd/nspawn/propagate")
APT_KEY = "usr/share/keyrings/rpool-lab.asc"


def up(cache: Cache, name: str, server_count: int, kubernetes: str) -> Lab:
    """Make the lab and wait until each server answers SSH."""
    servers(server_count, "10.88.0")  # raises before anything is built
    guest = everything.ensure(cache, release_of(kubernetes))
    with layout.alone(f"lab-{layout.checked_name(name)}"):
        if layout.is_complete(name):
            raise LabError(f"lab {name} is up; `python -m lab down --name {name}` removes it")
        _remove(cache, name)
        lab = _begin(cache, name, server_count, kubernetes, guest)
        with step(f"bringing up lab {name}: {server_count} servers at {lab.network}.0/24"):
            network.build(lab)
            mirrors.start_mirrors(cache, lab)
            _install(cache, lab)
            for server in lab.fleet:
                machines.power_on(lab, server)
            with ThreadPoolExecutor(max_workers=8) as pool:
                list(pool.map(lambda server: machines.wait_for_ssh(lab, server), lab.fleet))
        lab.complete()
    return lab


def _begin(cache: Cache, name: str, server_count: int, kubernetes: str, guest: Path) -> Lab:
    """Take a free network and put the lab on record, before anything of it is made."""
    with layout.alone("all"):
        lab = Lab(
            name=name,
            kubernetes=kubernetes,
            network=layout.free_network(),
            server_count=server_count,
            root_layers=(str(guest),),
            disks=str(layout.disks_folder(cache, name)),
        )
        lab.save()
        _raise_limits()
    return lab


def _install(cache: Cache, lab: Lab) -> None:
    """Make the operator's key and the servers' disks."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"operator@{lab.name}", "-f", lab.key)
    _make_disks(cache, lab, lab.fleet)


def _make_disks(cache: Cache, lab: Lab, made: Sequence[Server]) -> None:
    owner_key = lab.key.with_suffix(".pub").read_text()
    apt_key = apt_repository.public_key(cache)
    for server in made:
        machines.make_disk(lab, server, owner_key)
        write(lab.disk(server) / "upper" / APT_KEY, apt_key)
    known = [f"{server.address} {machines.host_key(lab, server)}" for server in lab.fleet]
    write(lab.known_hosts, "\n".join(known) + "\n")


def reinstall(cache: Cache, lab: Lab, names: Collection[str]) -> None:
    """Give servers new disks: plain Debian, a new host key, nothing of what was there."""
    fresh = [lab.server(name) for name in names]
    for server in fresh:
        machines.kill(lab, server)
        shutil.rmtree(lab.disk(server))
    _make_disks(cache, lab, fresh)
    for server in fresh:
        machines.power_on(lab, server)
    for server in fresh:
        machines.wait_for_ssh(lab, server)


def down(cache: Cache, name: str) -> None:
    """Take away everything that a lab of this name may have made."""
    with layout.alone(f"lab-{layout.checked_name(name)}"):
        _remove(cache, name)


def _remove(cache: Cache, name: str) -> None:
    cgroups.kill(name)
    cgroups.remove(name)
    network.remove(name)
    for folder in PROPAGATE.glob(f"rpl-{name}-*"):
        shutil.rmtree(folder)
    _remove_folder(layout.disks_folder(cache, name))
    _remove_folder(layout.RUN / name)  # last: until then the lab counts as there
    with layout.alone("all"):
        if not layout.all_labs():
            _restore_limits()
            cgroups.remove()


def _remove_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _raise_limits() -> None:
    """Raise the machine's limits for the labs' life, remembering what they were."""
    files = {name: Path("/proc/sys") / name for name in KERNEL_LIMITS}
    if not SAVED_LIMITS.exists():
        before = {name: int(file.read_text()) for name, file in files.items()}
        write(SAVED_LIMITS, json.dumps(before))
    for name, file in files.items():
        if int(file.read_text()) < KERNEL_LIMITS[name]:
            file.write_text(str(KERNEL_LIMITS[name]))


def _restore_limits() -> None:
    if not SAVED_LIMITS.exists():
        return
    for name, value in json.loads(SAVED_LIMITS.read_text()).items():
        (Path("/proc/sys") / name).write_text(str(value))
    SAVED_LIMITS.unlink()


def status(lab: Lab) -> list[tuple[str, str, str, str]]:
    """(name, address, size, what it is doing) of each server."""
    rows: list[tuple[str, str, str, str]] = []
    for server in lab.fleet:
        size = f"{server.cores} cores {server.memory_gib} GiB"
        rows.append((server.name, server.address, size, _state(lab, server.name)))
    say(f"lab {lab.name}, Kubernetes {lab.kubernetes}, disks in {lab.disks}")
    return rows


def _state(lab: Lab, name: str) -> str:
    server = lab.server(name)
    if not machines.is_on(lab, server):
        return "off"
    if cgroups.is_frozen(lab.name, name):
        return "frozen"
    if lab.cut_mark(server).exists():
        return "cut"
    return "on" if machines.answers_ssh(lab, server) else "on, no SSH yet"
