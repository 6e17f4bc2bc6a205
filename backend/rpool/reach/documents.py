"""Kubernetes objects that rpool itself keeps in a cluster, and the queries that read them back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from rpool.errors import check_format
from rpool.model.record import FORMAT, RESERVED, Record

if TYPE_CHECKING:
    from pydantic import TypeAdapter

OURS = {"app.kubernetes.io/managed-by": "rpool"}

NODES_PATH = (
    "{range .items[*]}{.metadata.name}{'\\t'}{.metadata.labels}{'\\t'}{.spec.unschedulable}{'\\t'}"
    "{.status.conditions[?(@.type=='Ready')].status}{' '}"
    "{.status.conditions[?(@.type=='Ready')].lastTransitionTime}{'\\t'}"
    "{.status.allocatable.cpu}{'\\t'}{.status.allocatable.memory}{'\\t'}"
    "{.spec.taints}{'\\n'}{end}"
)
"""One line per node: name, labels (JSON), unschedulable, Ready and since when, allocatable cores
and memory, taints (JSON)."""

PODS_PATH = (
    "{range .items[*]}{.spec.nodeName}{'\\t'}{.spec.containers[*].resources.requests.cpu}{'\\t'}"
    "{.spec.containers[*].resources.requests.memory}{'\\n'}{end}"
)
"""One line per pod: its node, and the cores and the memory that its containers request."""

MOST_RECORD = 512 * 1024
"""In characters: the record of 1,000 servers with some labels each has half of that."""

DNS_PATH = "{range .items[*]}{.spec.nodeName}{' '}{.metadata.name}{'\\n'}{end}"
TOKENS_PATH = "{range .items[*]}{.metadata.name}{' '}{.data.description}{'\\n'}{end}"


CHANGE = "rpool/change"
"""The annotation that names the change that wrote the record: record.sh compares it."""


def record(record: Record) -> str:
    """The ConfigMap that holds a cluster's record; record.sh fills in the version to replace."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "rpool",
                "namespace": "kube-system",
                "labels": OURS,
                "annotations": {CHANGE: record.change},
                "resourceVersion": "THE ONE THAT WAS SEEN",
            },
            "data": {"record": _text(record), "addresses": _addresses(record)},
        }
    )


def signing_request(name: str, request: str, seconds: int) -> dict[str, Any]:
    """A CertificateSigningRequest for a client certificate."""
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name, "labels": OURS},
        "spec": {
            "request": base64.b64encode(request.encode()).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "expirationSeconds": seconds,
            "usages": ["client auth"],
        },
    }


def approval(name: str, request: str, seconds: int) -> dict[str, Any]:
    """That request, approved; sign.sh fills in its uid and version."""
    document = signing_request(name, request, seconds)
    document["metadata"] |= {"uid": "@UID@", "resourceVersion": "@VERSION@"}
    reason = {"reason": "Rpool", "message": "asked for by rpool kubeconfig"}
    approved = {"type": "Approved", "status": "True", **reason}
    return document | {"status": {"conditions": [approved]}}


def _addresses(record: Record) -> str:
    """Name and address of each member, one per line: approve.sh grants certificates to these."""
    return "".join(f"{name} {member.address}\n" for name, member in sorted(record.members.items()))


def _text(record: Record) -> str:
    """The record's JSON. Sets and mappings are sorted, so that equal records have equal texts."""
    fields = asdict(record)
    kept = fields.pop("reserved")
    document = {"format": FORMAT, **fields, **kept}
    return json.dumps(document, default=sorted, sort_keys=True, separators=(",", ":"))


def read_record(text: str) -> Record:
    """The record in a ConfigMap's text. Raises ValueError for what is no record, or has what no
    configuration could have put there, and NewerFormat when a newer rpool wrote it.
    """
    if len(text) > MOST_RECORD:
        raise ValueError(f"it has {len(text)} characters; {MOST_RECORD} are allowed")
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise TypeError("it is no JSON object")
    check_format("the record (ConfigMap kube-system/rpool)", fields.pop("format", None), FORMAT)
    reserved = {name: fields.pop(name) for name in sorted(RESERVED & fields.keys())}
    record = _records().validate_python({**fields, "reserved": reserved})
    if unknown := sorted(_forgotten(fields, json.loads(_text(record)))):
        raise ValueError(f"nobody knows its {', '.join(unknown)}")
    if record.settled is None and record.wanted is None:
        raise ValueError("it has nothing settled and nothing wanted")
    from rpool.config import wrong_in  # slow to load, and not every command looks at a cluster

    if wrong := next(wrong_in(record), ""):
        raise ValueError(wrong)
    return record


def _forgotten(stored: object, kept: object) -> Iterator[str]:
    """Fields of `stored`, at any depth, that are not in `kept`: a later write would lose them."""
    if isinstance(stored, dict) and isinstance(kept, dict):
        yield from stored.keys() - kept.keys()
        for name in stored.keys() & kept.keys():
            yield from _forgotten(stored[name], kept[name])
    elif isinstance(stored, list) and isinstance(kept, list):
        for item, kept_item in zip(stored, kept, strict=False):
            yield from _forgotten(item, kept_item)


@cache
def _records() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter  # slow to load, and not every command looks at a cluster

    return TypeAdapter(Record)


def metallb(pools: Mapping[str, tuple[str, ...]]) -> str:
    """MetalLB's address pools and the one advertisement (L2) that names them all."""
    documents = [
        _metallb("IPAddressPool", name, {"addresses": [_span(span) for span in addresses]})
        for name, addresses in sorted(pools.items())
    ]
    advertisement = _metallb("L2Advertisement", "rpool", {"ipAddressPools": sorted(pools)})
    return "\n---\n".join(json.dumps(document) for document in [*documents, advertisement])


def _span(addresses: str) -> str:
    """A range or network as it is; a single address as a network, since MetalLB takes no other."""
    return addresses if {"-", "/"} & set(addresses) else f"{addresses}/32"


def _metallb(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "metallb-system", "labels": OURS},
        "spec": spec,
    }
