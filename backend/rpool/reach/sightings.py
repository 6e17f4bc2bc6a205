"""Parses what the read-only scripts (probe.sh, observe.sh ...) and reset.sh print.

Here a server's text becomes data, so none of it is believed: output that makes no sense, of
whatever kind, is a failure of that server, and texts are cut to a limited length.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import asdict
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any
from urllib.parse import urlsplit

from rpool.advice import Do
from rpool.certificates import is_signed
from rpool.errors import CommandFailed, NewerFormat, Refused, printable
from rpool.model.claim import MOST_CHARACTERS, Claim, UnknownFormat
from rpool.model.failure import MOST_KEPT, Failure
from rpool.model.pool import KUBERNETES_VERSION, Taint
from rpool.model.quantity import quantity
from rpool.model.record import Record
from rpool.model.secret import Secret
from rpool.model.seen import (
    UNWRITABLE,
    ClusterSeen,
    EtcdMember,
    NodeSeen,
    PackagesSeen,
    Probed,
)
from rpool.model.server import Role, ServerName
from rpool.model.step import News
from rpool.model.trust import read_mark
from rpool.reach import documents

MOST = 1_000_000_000
MOST_NAME = 253
MOST_TIME = 40
MOST_KEY = 317  # of a label's key: prefix, slash, name
MOST_CERTIFICATE = 1 << 16
MOST_NEWS = 1000
UNREADABLE = "cannot be read"
"""What `read_claim` says of a claim that makes no sense."""


def probed(server: ServerName, printed: bytes) -> Probed:
    """A probe. A claim that cannot be read is a trace, so that no cluster takes the server."""
    try:
        facts = json.loads(printed.decode(errors="replace"))  # a claim may have any bytes
        claim_text = "\n".join(_lines(facts, "claim"))
        claim = read_claim(claim_text) if facts["claim_there"] else None
        claim_unread = claim if isinstance(claim, str) else ""
        role = _line(facts, "joined")
        served = _lines(facts, "served")
        failures = map(Failure.of_line, _lines(facts, "failures")[:MOST_KEPT])
        end, _, certificate = _line(facts, "certificates").partition(" ")
        started = _finite(float(facts["clock_seconds"]))
        return Probed(
            server=server,
            hostname=_line(facts, "hostname"),
            machine_id=_line(facts, "machine_id"),
            product_uuid=_line(facts, "product_uuid"),
            cores=_count(_line(facts, "cores")),
            memory_mib=_count(_line(facts, "memory_mib")),
            claim=claim if isinstance(claim, Claim) else None,
            traces=(
                *_cut(_lines(facts, "traces")),
                *([f"a claim that {claim_unread}"] if claim_unread else []),
            ),
            joined=bool(role),
            joined_control_plane=role == Role.CONTROL_PLANE,
            addresses=_cut(_lines(facts, "addresses")),
            routes=tuple(str(IPv4Network(r, strict=False)) for r in _lines(facts, "routes")),
            clock_seconds=started,
            took_seconds=max(0.0, _finite(float(facts["ended_seconds"])) - started),
            kubeadm_ended=bool(role or _line(facts, "kubeadm_ended")),
            claim_unread=claim_unread,
            served=read_mark("\n".join(served)) if served else None,
            certificate=certificate,
            certificate_end_seconds=_finite(float(end or 0)),
            failures=tuple(failures),
            unwritable=disk if (disk := _line(facts, "unwritable")) in UNWRITABLE else "",
        )
    except Exception as error:  # a server may print anything, such as JSON too deep to parse
        raise _unreadable(f"the probe of {server} printed what cannot be read", error) from None


def _unreadable(summary: str, error: Exception) -> CommandFailed:
    return CommandFailed(summary, f"{type(error).__name__}: {str(error)[:MOST_CHARACTERS]}")


def _lines(facts: Mapping[str, Any], name: str) -> list[str]:
    lines = facts[name]
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise TypeError(f"{name} is no list of lines")
    return lines


def _line(facts: Mapping[str, Any], name: str) -> str:
    """A fact that is one line; empty where the server does not report it."""
    return next(iter(_cut(_lines(facts, name)[:1])), "")


def _cut(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(_short(text) for text in texts)


def _short(text: object, most: int = MOST_CHARACTERS) -> str:
    return printable(str(text)[:most])


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST:
        raise ValueError(f"{number} is no size of a server")
    return number


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number that can be computed with")
    return number


def read_claim(text: str) -> Claim | str:
    """The claim in a text, or why it cannot be read, as the end of a sentence about the claim."""
    try:
        return Claim.from_dict(json.loads(text))
    except UnknownFormat as why:
        return str(why)
    except (KeyError, ValueError, TypeError, RecursionError):
        return UNREADABLE


def cluster(server: ServerName, printed: bytes) -> ClusterSeen:
    """A cluster as a control plane reports it. Raises CommandFailed, NewerFormat."""
    nodes: dict[ServerName, NodeSeen] = {}
    record: Record | None = None
    certificate, metallb, open_to_joiners, clock = "", False, False, 0.0
    try:
        for kind, rest in _facts(printed.decode()):
            if kind == "node":
                name, node = _node(rest)
                nodes[name] = node
            elif kind == "record" and rest:
                record = documents.read_record(rest)
                _check_plain(asdict(record))
            elif kind == "metallb":
                metallb = "rpool" in rest.split()
            elif kind == "clock":
                clock = _finite(float(rest))
            elif kind == "tokens":
                open_to_joiners = bool(rest)
            elif kind == "ca":
                certificate = base64.b64decode(rest[:MOST_CERTIFICATE]).decode("ascii")
                _check_plain(certificate)
    except NewerFormat as error:
        raise NewerFormat(f"{server}: {error.summary}", error.detail) from None
    except Exception as error:
        raise _unreadable(f"what {server} reports of its cluster cannot be read", error) from None
    return ClusterSeen(nodes, record, certificate, metallb, open_to_joiners, clock)


def check_proof(server: ServerName, printed: bytes, challenge: str, certificate: str) -> None:
    """Raises Refused unless a control plane has signed the challenge with the key of the CA that it
    shows: only control planes of that cluster have it.
    """
    facts = dict(_facts(printed.decode(errors="replace")))
    try:
        signature = base64.b64decode(facts.get("proof", "")[:MOST_CERTIFICATE])
    except ValueError:
        signature = b""
    if not is_signed(certificate, challenge.encode(), signature):
        raise Refused(
            f"{server} does not prove that it has the key of the CA that it shows",
            f"{Do.PUT_CA_KEY_BACK.text()} Otherwise its claim is false: check who has access to "
            "it.",
        )


def _check_plain(value: Any) -> None:
    """Raises ValueError for text that would steer a terminal, and for a number that no state can
    hold: the cluster's administrators can write them, and they go into the state as they are.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_plain(key)
            _check_plain(item)
    elif isinstance(value, list | tuple | Set):
        for item in value:
            _check_plain(item)
    elif isinstance(value, str) and printable(value) != value:
        raise ValueError("there is a control character in it")
    elif isinstance(value, int) and abs(value) > MOST:
        raise ValueError("there is a number in it that is too big")


def packages(printed: bytes) -> PackagesSeen:
    """Versions of packages as versions.sh printed them, without the package's revision."""
    facts = list(_facts(printed.decode(errors="replace")))
    versions = {rest.partition("-")[0] for kind, rest in facts if kind == "version"}
    return PackagesSeen(
        frozenset(filter(KUBERNETES_VERSION.fullmatch, versions)),
        _short(next((rest for kind, rest in facts if kind == "unread"), "")),
    )


def etcd_members(server: ServerName, printed: bytes) -> tuple[EtcdMember, ...]:
    """Members as etcdctl printed them; one whose health is not printed counts as unhealthy."""
    try:
        facts = dict(_facts(printed.decode()))
        health = json.loads(facts["health"])
        answering = {endpoint["endpoint"] for endpoint in health if endpoint["health"]}
        members = json.loads(facts["members"])["members"]
        return tuple(_etcd_member(member, answering) for member in members)
    except Exception as error:
        raise _unreadable(f"what {server} reports of etcd cannot be read", error) from None


def _etcd_member(member: Mapping[str, Any], answering: Set[str]) -> EtcdMember:
    """A member in etcdctl's JSON, which leaves out empty and false values: the name and addresses
    of a member that has not started, and isLearner. Ids are decimal there, hexadecimal elsewhere.
    """
    return EtcdMember(
        id=format(member["ID"], "x"),
        name=_short(member.get("name", ""), MOST_NAME),
        votes=not member.get("isLearner", False),
        healthy=not answering.isdisjoint(member.get("clientURLs", ())),
        peers=tuple(urlsplit(url).hostname or "" for url in member.get("peerURLs", ())),
    )


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        kind, _, rest = line.partition("\t")
        yield kind, rest


def _node(line: str) -> tuple[ServerName, NodeSeen]:
    name, labels_text, unschedulable, ready, cores, memory, taints = line.split("\t")
    labels = {
        _short(key, MOST_KEY): _short(value)
        for key, value in json.loads(labels_text or "{}").items()
    }
    is_ready, _, since = ready.partition(" ")
    return _short(name, MOST_NAME), NodeSeen(
        ready=is_ready == "True",
        since=_short(since, MOST_TIME),
        since_seconds=_seconds(since),
        schedulable=unschedulable != "true",
        control_plane="node-role.kubernetes.io/control-plane" in labels,
        allocatable_cores=quantity(cores),
        allocatable_memory_gib=quantity(memory) / 2**30,
        labels=labels,
        taints=tuple(
            Taint(_short(t["key"], MOST_KEY), _short(t.get("value", "")), _short(t["effect"]))
            for t in json.loads(taints or "[]")
        ),
    )


def _seconds(time: str) -> float:
    """Seconds since 1970 of a time as Kubernetes writes it; 0 for other text."""
    try:
        return datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def encryption(server: ServerName, printed: bytes) -> Secret:
    """The EncryptionConfiguration of a control plane, as it printed it."""
    try:
        return Secret(printed.decode())
    except UnicodeDecodeError as error:
        raise _unreadable(f"how {server} encrypts Secrets cannot be read", error) from None


def certificate(server: ServerName, printed: bytes) -> str:
    """A certificate (PEM) as sign.sh printed it; callers check whether it is the right one."""
    try:
        text = base64.b64decode(printed[:MOST_CERTIFICATE], validate=True).decode("ascii")
        _check_plain(text)
    except ValueError as error:
        raise _unreadable(f"the certificate that {server} gives cannot be read", error) from None
    return text


def news(printed: bytes) -> News:
    """The news of a reset about its server: lines of limited number and length."""
    lines = printed.decode(errors="replace").splitlines()
    return _cut(line for line in lines[:MOST_NEWS] if line)
