"""An inspection of one server: its script, and the result that is read from the output."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

from rpool.errors import CommandFailed, printable
from rpool.model.claim import MOST_CHARACTERS
from rpool.model.inspection import Folder, Inspected, Port, Trial
from rpool.model.server import Server, ServerName
from rpool.reach.script import compose

MOST = 1_000_000_000


@cache
def _trial_text() -> str:
    return files("rpool.reach").joinpath("scripts/trial.pl").read_text("utf-8")


def script(server: Server, addresses: Mapping[ServerName, str], trial: Trial) -> str:
    """The script for one server; `addresses` are those of all servers that take part."""
    visits = (
        f"{visit.peer}={addresses[visit.peer]}:{visit.port}{'!' if visit.served else ''}"
        for visit in trial.visits
    )
    variables = {
        "ADDRESS": server.address,
        "NODE_NAME": server.name,
        "JOINS": trial.joins.value if trial.joins else "",
        "ASK_APT": "yes" if trial.asks_apt else "no",
        "MODULES": " ".join(trial.modules),
        "TRIAL_TEXT": _trial_text(),
        "TRIAL_SECONDS": f"{trial.seconds:g}",
        "TRIAL_WORD": trial.word,
        "LISTEN": " ".join(map(str, trial.listens)),
        "GUESTS": " ".join(f"{guest}:{port}" for guest, port in trial.guests),
        "VISITS": " ".join(visits),
    }
    return compose(("library", "inspect"), variables)


def inspected(server: ServerName, trial: Trial, printed: bytes) -> Inspected:
    """What a server printed. Output that makes no sense is a failure of that server; only peers
    and ports of its trial count.
    """
    try:
        return _inspected(trial, list(_facts(printed.decode(errors="replace"))))
    except Exception as error:  # a server may print anything
        raise CommandFailed(
            f"the inspection of {server} printed what cannot be read",
            f"{type(error).__name__}: {str(error)[:MOST_CHARACTERS]}",
        ) from None


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        kind, _, rest = line.partition("\t")
        yield kind, rest


def _inspected(trial: Trial, facts: Sequence[tuple[str, str]]) -> Inspected:
    lines: dict[str, list[str]] = defaultdict(list)
    for kind, rest in facts:
        lines[kind].append(rest)

    def first(kind: str) -> str:
        return _short(next(iter(lines[kind]), ""))

    def count(kind: str) -> int | None:
        return _count(lines[kind][0]) if lines[kind] else None

    visits = {(visit.peer, visit.port) for visit in trial.visits}
    used = (text.split("\t") for text in lines["used"])
    cut = (text.split("\t") for text in lines["cut"])
    narrow = (text.split("\t") for text in lines["narrow"])
    return Inspected(
        interface=first("interface"),
        mac=first("mac"),
        mtu=_count(first("mtu")),
        system=first("system_name"),
        systems=frozenset(first("system").split()),
        systemd=bool(lines["systemd"]),
        cgroups=first("cgroups"),
        kernel=first("kernel"),
        missing_modules=tuple(map(_short, lines["no_module"])),
        containerd=first("containerd"),
        containerd_to_come=first("containerd_to_come"),
        folders=tuple(_folder(text) for text in lines["folder"]),
        write_ms=_milliseconds(lines["write_ms"][0]) if lines["write_ms"] else None,
        swap_mib=count("swap_mib") or 0,
        available_mib=count("available_mib"),
        resolvers=tuple(map(_short, lines["resolver"])),
        synchronized={"yes": True, "no": False}.get(first("synchronized")),
        firewalls=tuple(map(_short, lines["firewall"])),
        used={Port.read(port): _short(by) for port, by in used if Port.read(port) in trial.listens},
        cut={
            (peer, Port.read(port)): _short(how)
            for peer, port, how in cut
            if (peer, Port.read(port)) in visits
        },
        narrow={
            peer: _count(size) for peer, size in narrow if peer in {peer for peer, _ in visits}
        },
    )


def _folder(text: str) -> Folder:
    path, rest = text.split("\t")
    writable, inodes, free_inodes, free_kib, mount = rest.split(" ", 4)
    counts_inodes = inodes.isdigit() and inodes != "0"
    return Folder(
        path=_short(path),
        writable=writable == "yes",
        free_mib=_count(free_kib) // 1024,
        free_inodes=_count(free_inodes) if counts_inodes else None,
        mount=_short(mount),
    )


def _short(text: str) -> str:
    return printable(text[:MOST_CHARACTERS])


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST * 1024:
        raise ValueError(f"{number} is no size of a server")
    return number


def _milliseconds(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no time")
    return number
