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
"""A node a line: name, labels (JSON), unschedulable, Ready and since when, allocatable cores and
memory, taints (JSON)."""

PODS_PATH = (
    "{range .items[*]}{.spec.nodeName}{'\\t'}{.spec.containers[*].resources.requests.cpu}{'\\t'}"
    "{.spec.containers[*].resources.requests.memory}{'\\n'}{end}"
)
"""A pod a line: its node, and what each of its containers requests of cores and of memory."""

MOST_RECORD = 512 * 1024
"""Characters: a cluster of 1,000 servers with some labels each has half of that."""

DNS_PATH = "{range .items[*]}{.spec.nodeName}{' '}{.metadata.name}{'\\n'}{end}"
TOKENS_PATH = "{range .items[*]}{.metadata.name}{' '}{.data.description}{'\\n'}{end}"


CHANGE = "rpool/change"
"""The annotation that says which change wrote the record: record.sh compares it."""


def record(record: Record) -> str:
    """The ConfigMap that holds a cluster's record; record.sh knows the version that it replaces."""
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
    """A CertificateSigningRequest for a client certificate: what somebody asks the cluster for."""
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
    """That request, approved; sign.sh fills in which one it is."""
    document = signing_request(name, request, seconds)
    document["metadata"] |= {"uid": "@UID@", "resourceVersion": "@VERSION@"}
    said = {"reason": "Rpool", "message": "asked for by rpool kubeconfig"}
    approved = {"type": "Approved", "status": "True", **said}
    return document | {"status": {"conditions": [approved]}}


def _addresses(record: Record) -> str:
    """Name and address of each member, one a line: whom approve.sh lets have a certificate."""
    return "".join(f"{name} {its.address}\n" for name, its in sorted(record.members.items()))


def _text(record: Record) -> str:
    """In one order whatever the order of sets and mappings, so that what is the same looks so."""
    fields = asdict(record)
    kept = fields.pop("reserved")
    whole = {"format": FORMAT, **fields, **kept}
    return json.dumps(whole, default=sorted, sort_keys=True, separators=(",", ":"))


def read_record(text: str) -> Record:
    """The record in a ConfigMap's text. Raises ValueError when it is none, or has what no
    configuration could have brought into it, and NewerFormat when a newer rpool wrote it.
    """
    if len(text) > MOST_RECORD:
        raise ValueError(f"it has {len(text)} characters; {MOST_RECORD} are allowed")
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise TypeError("it is no JSON object")
    check_format("the record (ConfigMap kube-system/rpool)", fields.pop("format", None), FORMAT)
    reserved = {name: fields.pop(name) for name in sorted(RESERVED & fields.keys())}
    record = _records().validate_python({**fields, "reserved": reserved})
    if strange := sorted(_forgotten(fields, json.loads(_text(record)))):
        raise ValueError(f"nobody knows its {', '.join(strange)}")
    if record.settled is None and record.wanted is None:
        raise ValueError("it has nothing settled and nothing wanted")
    from rpool.config import wrong_in  # slow to load, and not every command looks at a cluster

    if wrong := next(wrong_in(record), ""):
        raise ValueError(wrong)
    return record


def _forgotten(found: object, kept: object) -> Iterator[str]:
    """The fields of what was found, however deep, that would be lost when it is written again."""
    if isinstance(found, dict) and isinstance(kept, dict):
        yield from found.keys() - kept.keys()
        for name in found.keys() & kept.keys():
            yield from _forgotten(found[name], kept[name])
    elif isinstance(found, list) and isinstance(kept, list):
        for each, its in zip(found, kept, strict=False):
            yield from _forgotten(each, its)


@cache
def _records() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter  # slow to load, and not every command looks at a cluster

    return TypeAdapter(Record)


def metallb(pools: Mapping[str, tuple[str, ...]]) -> str:
    """MetalLB's address pools and the one advertisement (L2) that names them all."""
    documents = [
        _metallb("IPAddressPool", name, {"addresses": [_span(its) for its in addresses]})
        for name, addresses in sorted(pools.items())
    ]
    advertisement = _metallb("L2Advertisement", "rpool", {"ipAddressPools": sorted(pools)})
    return "\n---\n".join(json.dumps(document) for document in [*documents, advertisement])


def _span(addresses: str) -> str:
    """MetalLB takes a single address as a network alone."""
    return addresses if {"-", "/"} & set(addresses) else f"{addresses}/32"


def _metallb(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "metallb-system", "labels": OURS},
        "spec": spec,
    }
