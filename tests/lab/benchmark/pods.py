"""Pods that a cluster is to refuse: each is the plain one, but for what its entry asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from benchmark.entries import Entry
from benchmark.facts import Facts

PLAIN = "plain"
REFUSED = 'pods "{}" is forbidden: violates PodSecurity'
SPEC: Mapping[str, Any] = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}
CONTAINER: Mapping[str, Any] = {
    "name": "container",
    "image": "none",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}


def pods(entries: Iterable[Entry]) -> str:
    """The plain pod and one for each entry that wants its own refused, as a List."""
    refused = [
        _pod(name_of(entry.id), entry.wanted) for entry in entries if entry.kind == "refused"
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [_pod(PLAIN, {}), *refused]})


def name_of(id: str) -> str:
    return f"check-{id.replace('.', '-')}"


def was_refused(name: str, word: str, facts: Facts) -> str:
    """Why the pod was not refused for that reason; empty when it was. Where the plain pod is not
    admitted, a refusal proves nothing."""
    if not was_admitted(PLAIN, facts):
        return "not even a plain pod is admitted"
    refusals = [line for line in facts.admission if REFUSED.format(name) in line]
    if not refusals:
        return f"{name} is admitted" if was_admitted(name, facts) else f"nothing is said to {name}"
    return "" if word in refusals[0] else refusals[0]


def was_admitted(name: str, facts: Facts) -> bool:
    return any(line.startswith(f"pod/{name} created") for line in facts.admission)


def _pod(name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    container = _merged(CONTAINER, wanted.get("container", {}))
    spec = {**_merged(SPEC, wanted.get("pod", {})), "containers": [container]}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _merged(plain: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged; anything else is replaced."""
    both = {
        key: _merged(plain[key], value)
        for key, value in asked.items()
        if isinstance(value, Mapping) and isinstance(plain.get(key), Mapping)
    }
    return {**plain, **asked, **both}
