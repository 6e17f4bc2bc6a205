"""Kubeconfigs as data: what kubectl, helm and all other clients read. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rpool.model.access import Credential, Entrance

EXEC_API = "client.authentication.k8s.io/v1"

Document = Mapping[str, Any]


def context_name(entrance: Entrance) -> str:
    """The default name of a cluster's entries."""
    return f"rpool-{entrance.name}"


def with_certificate(credential: Credential) -> Document:
    """A user entry with a client certificate and its key."""
    return {
        "client-certificate-data": _base64(credential.certificate),
        "client-key-data": _base64(credential.key.reveal()),
    }


def with_command(command: Sequence[str]) -> Document:
    """A user entry with a command, which prints a credential whenever one is needed."""
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
    """A kubeconfig of one cluster, one user and one context, all called `name`."""
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
    """An ExecCredential: what the command of a user entry prints."""
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
    """The end of a credential, as Kubernetes writes times."""
    return f"{datetime.fromtimestamp(credential.ends_seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def text(document: Document) -> str:
    """A kubeconfig as YAML."""
    import yaml  # slow to load

    dumped: str = yaml.safe_dump(document, sort_keys=False)
    return dumped


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
