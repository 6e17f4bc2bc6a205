"""What the API server writes down of who did what: metadata alone, so no secret is in its log."""

from __future__ import annotations

import json
from typing import Any

POLICY_FILE = "/etc/kubernetes/audit-policy.yaml"
LOG_FOLDER = "/var/log/kubernetes"

_DAYS, _FILES, _MEGABYTES = 30, 10, 100

_UNTOLD: tuple[dict[str, Any], ...] = (
    {"nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]},
    {"resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
    {"resources": [{"group": "", "resources": ["events"]}]},
    {"resources": [{"group": "events.k8s.io", "resources": ["events"]}]},
)
"""What tells nothing of anybody, and is most of the traffic."""


def policy() -> str:
    """The audit policy; JSON is YAML."""
    rules = [*({"level": "None", **which} for which in _UNTOLD), {"level": "Metadata"}]
    return json.dumps(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": rules,
        },
        indent=1,
    )


def arguments() -> dict[str, str]:
    """Of the API server. The log is rotated; all of it has a gigabyte at most."""
    return {
        "audit-policy-file": POLICY_FILE,
        "audit-log-path": f"{LOG_FOLDER}/audit.log",
        "audit-log-maxage": str(_DAYS),
        "audit-log-maxbackup": str(_FILES),
        "audit-log-maxsize": str(_MEGABYTES),
    }


def volumes() -> list[dict[str, Any]]:
    """Of the API server's static pod."""
    return [
        {
            "name": "audit-policy",
            "hostPath": POLICY_FILE,
            "mountPath": POLICY_FILE,
            "readOnly": True,
            "pathType": "File",
        },
        {
            "name": "audit-log",
            "hostPath": LOG_FOLDER,
            "mountPath": LOG_FOLDER,
            "pathType": "DirectoryOrCreate",
        },
    ]
