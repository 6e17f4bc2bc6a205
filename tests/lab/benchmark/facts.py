"""What one server is like, and what the API said through it: the lines of look.sh."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True)
class File:
    mode: int
    owner: str  # and its group: root:root
    path: str


@dataclass(frozen=True)
class Facts:
    """What look.sh did not print is empty, and no entry holds by that."""

    processes: Sequence[Sequence[str]] = ()  # command lines, in words
    files: Sequence[File] = ()
    listens: Sequence[str] = ()  # address:port
    providers: Sequence[str] = ()  # of encryption at rest, the one that writes first
    policy: Object = field(default_factory=dict)  # of the audit log
    kubelets: Mapping[str, Object] = field(default_factory=dict)  # as they run, by node
    kubelet: Object = field(default_factory=dict)  # this server's
    objects: Sequence[Object] = ()
    secrets: Sequence[str] = ()  # their types
    admission: Sequence[str] = ()  # the answers to pods

    def of(self, kind: str) -> list[Object]:
        return [item for item in self.objects if item["kind"] == kind]


def parse(text: str) -> Facts:
    """Facts of the lines that one look printed; one of an unknown kind is an error."""
    lines_of: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for line in text.splitlines():
        kind, _, rest = line.partition("\t")
        lines_of[kind].append(rest)
    return Facts(
        processes=[line.split() for line in lines_of["process"]],
        files=[_file(line) for line in lines_of["file"]],
        listens=lines_of["listens"],
        providers=lines_of["provider"],
        policy=json.loads("".join(lines_of["policy"]) or "{}"),
        kubelets=dict(map(_kubelet, lines_of["kubelet"])),
        objects=json.loads("".join(lines_of["objects"]) or '{"items": []}')["items"],
        secrets=lines_of["secret"],
        admission=lines_of["admission"],
    )


KINDS = (
    *("process", "file", "listens", "provider", "policy"),
    *("kubelet", "objects", "secret", "admission"),
)


def _file(line: str) -> File:
    mode, owner, path = line.split(maxsplit=2)
    return File(int(mode, 8), owner, path)


def _kubelet(line: str) -> tuple[str, Object]:
    node, _, text = line.partition(" ")
    return node, json.loads(text or "{}").get("kubeletconfig", {})
