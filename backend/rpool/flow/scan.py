"""Asking servers that no fleet has yet for the name that they give themselves, and their size.

No server is logged in to before its host key is known: from the fleet, from known_hosts, or since
a person has just accepted it. Nothing is changed on any.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from rpool.decide.scanned import (
    UNKNOWN_ZONE,
    Host,
    by_number,
    differences,
    nominal_gib,
    server_name,
    settings,
    zone_of,
)
from rpool.errors import Problem, Refused, RpoolError, SpecError
from rpool.flow.look import ask_at_once, probe_all
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Server, ServerName
from rpool.model.site import SiteConfig, Ssh
from rpool.model.world import World
from rpool.reach.host_keys import KnownHosts, Presented, presented

T = TypeVar("T")
Entries = Mapping[ServerName, Mapping[str, Any]]


@dataclass(slots=True)
class Scanned:
    """`entries` are new to the fleet. `notes` say where other servers differ from their entries,
    and what of the new ones is a guess. `failed` says why a server is not among them, by address.
    """

    entries: dict[ServerName, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: dict[str, RpoolError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ways:
    """How servers are reached. `accept` is called once with all unknown host keys, by server name,
    and returns whether a person takes them for theirs.
    """

    ssh: Ssh
    known_hosts: KnownHosts
    accept: Callable[[Mapping[str, Presented]], bool]
    connect: Callable[[SiteConfig], World]


def scan(hosts: Sequence[Host], fleet: Entries, ways: Ways) -> Scanned:
    """Entries for those of `hosts` that the fleet lacks, and how the others differ from theirs.
    Raises SpecError for what is wrong with the hosts themselves.
    """
    scanned = Scanned()
    host_of = {_place(host.address, host.port): host for host in map(_resolved, hosts)}
    servers = {key: _server(host) for key, host in host_of.items()}
    keys, silent = ask_at_once(lambda key: presented(servers[key]), servers)
    scanned.failed |= silent
    name_of = {_place(str(e.get("address")), e.get("port", 22)): n for n, e in fleet.items()}
    expected = {
        key: fleet[name_of[key]].get("host_key", "") if key in name_of else host.declared_key
        for key, host in host_of.items()
    }
    trusted = _trusted(keys, servers, expected, ways, scanned)
    declared = {
        key: replace(servers[key], host_key=host_key.text) for key, host_key in trusted.items()
    }
    users = {key: host_of[key].user or ways.ssh.user for key in declared}
    for user in sorted(set(users.values())):
        of_user = {key: server for key, server in declared.items() if users[key] == user}
        world = ways.connect(SiteConfig(Fleet(of_user), replace(ways.ssh, user=user)))
        try:
            seen, silent = probe_all(world, of_user)
        finally:
            world.close()
        scanned.failed |= silent
        for key, sighting in _in_order(seen):
            entry = _entry(host_of[key], sighting.probed, trusted[key])
            name = server_name(host_of[key].name or sighting.probed.hostname)
            if known := name_of.get(key, name if name in fleet else None):
                scanned.notes += differences(known, fleet[known], entry)
            else:
                _add(scanned, name, entry, sighting.probed)
    scanned.failed = dict(_in_order(scanned.failed))
    return scanned


def _in_order(by_place: Mapping[str, T]) -> list[tuple[str, T]]:
    return sorted(by_place.items(), key=lambda item: by_number(item[0]))


def _place(address: str, port: int) -> str:
    return address if port == 22 else f"{address}:{port}"


def _resolved(host: Host) -> Host:
    """The host with its IPv4 address: kubelets and etcd listen at it, so the fleet has no names."""
    try:
        settings(host)
        addresses = socket.getaddrinfo(host.address, None, socket.AF_INET)
    except ValueError as error:
        raise SpecError([Problem((), str(error))]) from None
    except OSError:
        summary = f"{host.address!r:.60} is no IPv4 address, and no name of one"
        raise SpecError([Problem((), summary)]) from None
    return replace(host, address=str(addresses[0][4][0]))


def _server(host: Host) -> Server:
    """Enough of a server to reach it."""
    name = host.name or _place(host.address, host.port)
    return Server(name, host.address, 1, 1, "", "", port=host.port)


def _trusted(
    keys: Mapping[str, Presented],
    servers: Mapping[str, Server],
    expected: Mapping[str, str],
    ways: Ways,
    scanned: Scanned,
) -> dict[str, Presented]:
    """The host keys that are trusted; `expected` are those that the fleet or the inventory has."""
    trusted: dict[str, Presented] = {}
    unknown: dict[str, Presented] = {}
    for key, host_key in _in_order(keys):
        try:
            if expected[key]:
                _compare(servers[key], expected[key], host_key)
            known = bool(expected[key]) or ways.known_hosts.has(servers[key], host_key)
            (trusted if known else unknown)[key] = host_key
        except Refused as why:
            scanned.failed[key] = why
    if unknown and ways.accept({servers[key].name: host_key for key, host_key in unknown.items()}):
        return trusted | unknown
    for key, host_key in unknown.items():
        summary = f"the host key {host_key.fingerprint} of {servers[key].name} is not confirmed"
        scanned.failed[key] = Refused(summary, _HOW_TO_KNOW)
    return trusted


_HOW_TO_KNOW = (
    "Compare each with the server's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, on its "
    "console), and say yes at a terminal; or log in to it once with ssh, which puts it into "
    "known_hosts."
)


def _compare(server: Server, declared: str, host_key: Presented) -> None:
    if declared.split()[:2] != host_key.text.split():
        raise Refused(
            f"{server.name} presents another host key than its entry in the fleet has",
            f"It presents {host_key.fingerprint}. If it was reinstalled, put that key in its "
            "entry.",
        )


def _entry(host: Host, probed: Probed, key: Presented) -> dict[str, Any]:
    """What a server says of itself, overridden by what the inventory says of it."""
    size = {"cores": probed.cores, "memory": nominal_gib(probed.memory_mib)}
    return size | settings(host) | {"host_key": key.text}


def _add(scanned: Scanned, name: ServerName, entry: dict[str, Any], probed: Probed) -> None:
    if name in scanned.entries:
        summary = f"two servers are called {name}: {entry['address']} is the second"
        scanned.failed[entry["address"]] = Refused(summary, "Name it: NAME=ADDRESS.")
        return
    zone = entry.get("zone") or zone_of(name, ())
    if zone is None:
        scanned.notes.append(f"{name}: nothing tells what fails together with it: check its zone")
    if probed.claim is not None:
        claim = probed.claim
        scanned.notes.append(f"{name}: cluster {claim.pool} (uid {claim.uid}) has a claim on it")
    elif probed.traces:
        scanned.notes.append(f"{name}: no spare, since it has {', '.join(probed.traces[:3])}")
    entry["zone"] = zone or UNKNOWN_ZONE
    order = ("address", "port", "cores", "memory", "zone", "host_key")
    rest = {key: value for key, value in entry.items() if key not in order}
    scanned.entries[name] = {key: entry[key] for key in order if key in entry} | rest
