"""What inspections found: what keeps servers from their part, and what users should know. Pure.

Each finding is a sentence about one server that joins: what is wrong, the value that was seen, and
what to do. So a create knows which servers to replace.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from rpool.decide.trials import CONTAINERD_2_SINCE, minor
from rpool.model.inspection import ANOTHERS_TRIAL, Inspected, Port
from rpool.model.pool import PoolSpec
from rpool.model.server import Roles, ServerName
from rpool.user_settings import settings

CGROUPS_2_SINCE = 35
"""The minor version since which a kubelet refuses version 1, unless failCgroupV1 is false."""

FREE_MIB = {"/var/lib/etcd": 2048, "/var/lib/kubelet": 1024, "/var/lib/containerd": 3072}
"""What a new node needs: etcd's whole quota; volumes and logs; images."""

FREE_INODES = 20_000
SLOW_WRITE_MS = 50.0
"""etcd wants nearly all writes within 10 ms; elections fail well above that."""

Findings = dict[ServerName, list[str]]

Seen = Mapping[ServerName, Inspected]


def errors(spec: PoolSpec, joining: Roles, seen: Seen) -> Findings:
    """What has to be corrected before these servers join, by server."""
    findings: Findings = defaultdict(list)
    for name in joining:
        if name in seen:
            findings[name] += _of_one(spec, seen[name])
    for owner, sentence in _between(joining, seen):
        findings[owner].append(sentence)
    return {name: sentences for name, sentences in sorted(findings.items()) if sentences}


def warnings(spec: PoolSpec, joining: Roles, seen: Seen) -> list[str]:
    """What does not keep servers from joining, but users should know."""
    return [
        f"{name}: {sentence}"
        for name in sorted(joining.keys() & seen.keys())
        for sentence in _warnings_of_one(spec, seen[name])
    ]


def _of_one(spec: PoolSpec, inspected: Inspected) -> Iterator[str]:
    yield from _system(spec, inspected)
    yield from _containerd(spec, inspected)
    yield from _disks(inspected)
    yield from _swap(spec, inspected)
    if not inspected.interface:
        yield "none of its interfaces has the address that the fleet gives: correct the address"
    for port, user in sorted(inspected.used.items()):
        if user != ANOTHERS_TRIAL:
            yield f"port {port} is in use, by {user}: stop that, or have it listen on another port"


def _system(spec: PoolSpec, inspected: Inspected) -> Iterator[str]:
    if not inspected.systems & {"debian", "ubuntu"}:
        yield f"it runs {inspected.system}, and only Debian and Ubuntu can be prepared"
    if not inspected.systemd:
        yield "it is not run by systemd: only that can run a kubelet as kubeadm sets it up"
    wants_2 = minor(spec) >= CGROUPS_2_SINCE and _kubelet(spec, "failCgroupV1") is not False
    if wants_2 and inspected.cgroups != "cgroup2fs":
        yield (
            f"it has version 1 of control groups ({inspected.cgroups} at /sys/fs/cgroup), and "
            f"since 1.{CGROUPS_2_SINCE} the kubelet refuses that: boot it with version 2 (kernel "
            "parameter systemd.unified_cgroup_hierarchy=1), or set failCgroupV1: false for the "
            "kubelet"
        )
    for module in inspected.missing_modules:
        yield (
            f"its kernel {inspected.kernel} has no module {module}: reboot it if the kernel was "
            "updated, or install the package with its modules"
        )


def _containerd(spec: PoolSpec, inspected: Inspected) -> Iterator[str]:
    version = inspected.containerd or inspected.containerd_to_come
    if minor(spec) < CONTAINERD_2_SINCE or not re.match(r"v?1\.", version):
        return
    has = "it has" if inspected.containerd else "its package sources have"
    yield (
        f"{has} containerd {version}, and since 1.{CONTAINERD_2_SINCE} Kubernetes needs "
        "containerd 2: install that there, from backports or as containerd.io from Docker's "
        f"repository, or ask for Kubernetes 1.{CONTAINERD_2_SINCE - 1}"
    )


def _disks(inspected: Inspected) -> Iterator[str]:
    mounts: dict[str, list[str]] = defaultdict(list)
    free: dict[str, int] = {}
    for folder in inspected.folders:
        if not folder.writable:
            yield f"nothing can be written to {folder.path}: {folder.mount} is mounted read-only"
            continue
        if folder.free_inodes is not None and folder.free_inodes < FREE_INODES:
            yield (
                f"{folder.mount}, for {folder.path}, has {folder.free_inodes} inodes free, and "
                f"{FREE_INODES} are needed: remove files there"
            )
        mounts[folder.mount].append(folder.path)
        free[folder.mount] = folder.free_mib
    for mount, paths in mounts.items():
        needed = sum(FREE_MIB.get(path, 0) for path in paths)
        if free[mount] < needed:
            yield (
                f"{mount} has {free[mount]} MiB free, and {needed} MiB are needed, for "
                f"{', '.join(paths)}: free some, or give these a larger disk"
            )


def _swap(spec: PoolSpec, inspected: Inspected) -> Iterator[str]:
    stays = _kubelet(spec, "failSwapOn") is False
    if (
        not stays
        and inspected.available_mib is not None
        and inspected.swap_mib > inspected.available_mib
    ):
        yield (
            f"{inspected.swap_mib} MiB are in its swap, which is to be switched off, "
            f"and only {inspected.available_mib} MiB of memory are free: stop what uses so much"
        )


def _between(joining: Roles, seen: Seen) -> Iterator[tuple[ServerName, str]]:
    """Findings between servers, each about one that joins: where that is known, the one whose
    firewall blocks the others.
    """
    yield from _twins(joining, seen)
    blocked: dict[tuple[ServerName, tuple[Port, ...], str], list[ServerName]] = defaultdict(list)
    for name, inspected in sorted(seen.items()):
        unreached: dict[tuple[ServerName, str], list[Port]] = defaultdict(list)
        for (peer, port), failure in sorted(inspected.cut.items()):
            # A silent peer has no firewall to blame, and a port in use has a finding of its own.
            if peer in seen and port not in seen[peer].used:
                unreached[peer, failure].append(port)
        for (peer, failure), ports in unreached.items():
            if peer not in joining:
                yield (
                    name,
                    f"it cannot reach {peer} at {_listed(ports)} ({failure}). {_how_to_open(())}",
                )
            else:
                blocked[peer, tuple(ports), failure].append(name)
    for (peer, closed, failure), names in blocked.items():
        where = _how_to_open(seen[peer].firewalls)
        yield peer, f"{', '.join(names)} cannot reach it at {_listed(closed)} ({failure}). {where}"
    yield from _narrow(joining, seen)


def _twins(joining: Roles, seen: Seen) -> Iterator[tuple[ServerName, str]]:
    first: dict[str, ServerName] = {}
    for name in sorted(seen, key=lambda n: (n in joining, n)):
        mac = seen[name].mac
        if mac and (other := first.setdefault(mac, name)) != name and name in joining:
            alike = f"it has the same MAC address as {other} ({mac})"
            yield name, f"{alike}, so neither is reached reliably: give it one of its own"


def _narrow(joining: Roles, seen: Seen) -> Iterator[tuple[ServerName, str]]:
    reported: set[frozenset[ServerName]] = set()
    for name, inspected in sorted(seen.items()):
        for peer, size in sorted(inspected.narrow.items()):
            pair = frozenset((name, peer))
            if pair not in reported:
                reported.add(pair)
                largest = f"the largest packets that come to {peer} and back have {size} bytes"
                mtu = f"its {inspected.interface} sends {inspected.mtu}"
                if name not in joining:
                    largest = (
                        f"the largest packets that come from {name} and back have {size} bytes"
                    )
                    mtu = f"{inspected.interface} there sends {inspected.mtu}"
                yield (
                    name if name in joining else peer,
                    f"{largest}, and {mtu}: give both, and all between them, the same MTU",
                )


def _listed(ports: Collection[Port]) -> str:
    return ", ".join(map(str, ports))


def _how_to_open(firewalls: Collection[str]) -> str:
    if not firewalls:
        return "Open that in each firewall on the way"
    names = ", ".join(firewalls)
    return f"There is a firewall on it ({names}): open that there to the cluster's servers"


def _warnings_of_one(spec: PoolSpec, inspected: Inspected) -> Iterator[str]:
    if inspected.synchronized is False:
        yield "its clock is not synchronized: run chrony or systemd-timesyncd"
    if inspected.write_ms is not None and inspected.write_ms > SLOW_WRITE_MS:
        yield (
            f"a write to the disk of /var/lib/etcd takes {inspected.write_ms:.0f} ms, and etcd "
            "wants 10: expect elections and slow answers; give it a faster disk"
        )
    if _kubelet(spec, "resolvConf") is None and (own := _own_resolvers(inspected)):
        yield (
            f"/etc/resolv.conf names {', '.join(own)}, the server itself: in a pod that is the "
            "pod, and CoreDNS stops at such a loop. Name another server there, or set resolvConf "
            "for the kubelet"
        )


def _own_resolvers(inspected: Inspected) -> list[str]:
    """Resolvers on the server itself, without systemd-resolved's, which kubeadm handles."""
    own = []
    for text in inspected.resolvers:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if address.is_loopback and text not in ("127.0.0.53", "127.0.0.54"):
            own.append(text)
    return own


def _kubelet(spec: PoolSpec, setting: str) -> object:
    """The user's value of a kubelet setting; None if there is none."""
    return settings(spec.kubeadm.kubelet).get(setting)
