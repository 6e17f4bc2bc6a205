"""Kubeconfigs as data, purely: what kubectl, helm and all other clients read."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rpool.model.access import Credential, Entrance

EXEC_API = "client.authentication.k8s.io/v1"

Document = Mapping[str, Any]


def context_name(entrance: Entrance) -> str:
    """The name of a cluster's entries, unless somebody gives them another."""
    return f"rpool-{entrance.name}"


def with_certificate(credential: Credential) -> Document:
    """A user that is who its certificate says, until that ends."""
    return {
        "client-certificate-data": _base64(credential.certificate),
        "client-key-data": _base64(credential.key.reveal()),
    }


def with_command(command: Sequence[str]) -> Document:
    """A user whose credential a command prints whenever it is needed."""
    return {
        "exec": {
            "apiVersion": EXEC_API,
            "command": command[0],
            "args": list(command[1:]),
            "interactiveMode": "Never",
            "provideClusterInfo": False,
        }
    }


def kubeconfig(name: str, entrance: Entrance, user: Document) -> Document:
    """A kubeconfig of one cluster, one user and one context, all of this name."""
    cluster = {
        "server": entrance.host,
        "certificate-authority-data": _base64(entrance.ca_certificate),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def exec_credential(credential: Credential) -> Document:
    """What a user's command prints."""
    return {
        "apiVersion": EXEC_API,
        "kind": "ExecCredential",
        "status": {
            "expirationTimestamp": end_of(credential),
            "clientCertificateData": credential.certificate,
            "clientKeyData": credential.key.reveal(),
        },
    }


def end_of(credential: Credential) -> str:
    """When it ends, as Kubernetes writes times."""
    return f"{datetime.fromtimestamp(credential.ends_seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def text(document: Document) -> str:
    """As it is in a file."""
    import yaml  # slow to load

    dumped: str = yaml.safe_dump(document, sort_keys=False)
    return dumped


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
