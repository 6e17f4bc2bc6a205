"""The API servers' flags beside kubeadm's own, and the files that these flags name.

The files are in one folder, which the pod mounts as a whole, so that the pod sees a file that
replaces another. For encryption at rest see docs/decisions/022.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rpool.model.pool import ApiServer, Oidc, PoolSpec
from rpool.user_settings import settings

FOLDER = "/etc/kubernetes/api-server"
LOG_FOLDER = "/var/log/kubernetes"
PKI = "/etc/kubernetes/pki"

CIPHERS = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
"""Cipher suites of TLS with forward secrecy and authenticated encryption."""

_AUDIT, _ADMISSION, _ENCRYPTION, _OIDC_CA = (
    f"{FOLDER}/{name}"
    for name in ("audit.yaml", "admission.yaml", "encryption.yaml", "oidc-ca.crt")
)
_DAYS, _FILES, _MEGABYTES = 30, 10, 100

_UNTOLD: tuple[dict[str, Any], ...] = (
    {"nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]},
    {"resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
    {"resources": [{"group": "", "resources": ["events"]}]},
    {"resources": [{"group": "events.k8s.io", "resources": ["events"]}]},
)
"""Requests that the audit log leaves out: they tell nothing of users, and are most of the traffic.
"""


def flags(spec: PoolSpec) -> dict[str, str]:
    """The API server's flags. Its audit log is rotated, and has a gigabyte at most in all."""
    return {
        "profiling": "false",
        "service-account-extend-token-expiration": "false",
        "tls-cipher-suites": ",".join(CIPHERS),
        "kubelet-certificate-authority": f"{PKI}/ca.crt",
        "audit-policy-file": _AUDIT,
        "audit-log-path": f"{LOG_FOLDER}/audit.log",
        "audit-log-maxage": str(_DAYS),
        "audit-log-maxbackup": str(_FILES),
        "audit-log-maxsize": str(_MEGABYTES),
        "admission-control-config-file": _ADMISSION,
        "encryption-provider-config": _ENCRYPTION,
        "encryption-provider-config-automatic-reload": "true",
        **_oidc_flags(spec.api_server.oidc),
        **spec.api_server.flags,
    }


def files(spec: PoolSpec) -> dict[str, str]:
    """The text of each public file, by its shell variable (see scripts/membership.sh)."""
    oidc = spec.api_server.oidc
    return {
        "AUDIT_POLICY": _text(_audit_policy(spec.api_server.audit_policy)),
        "ADMISSION": _text(_admission(spec.api_server)),
        "OIDC_CA": (oidc.ca_certificate or "") if oidc else "",
    }


def volumes() -> list[dict[str, Any]]:
    """Extra volumes of the API server's static pod."""
    return [
        {
            "name": "api-server",
            "hostPath": FOLDER,
            "mountPath": FOLDER,
            "readOnly": True,
            "pathType": "Directory",
        },
        {
            "name": "audit-log",
            "hostPath": LOG_FOLDER,
            "mountPath": LOG_FOLDER,
            "pathType": "DirectoryOrCreate",
        },
    ]


def _audit_policy(text: str | None) -> dict[str, Any]:
    """The user's policy, or ours: who did what as metadata alone, so no secret is in the log."""
    rules = [*({"level": "None", **which} for which in _UNTOLD), {"level": "Metadata"}]
    ours: Mapping[str, Any] = {"omitStages": ["RequestReceived"], "rules": rules}
    policy = ours if text is None else settings(text)
    return {**policy, "apiVersion": "audit.k8s.io/v1", "kind": "Policy"}


def _admission(api_server: ApiServer) -> dict[str, Any]:
    """Pod Security for namespaces that have no label of their own. kube-system is exempt, since
    Kubernetes' own pods need the node; MetalLB and the CNIs bring namespaces with labels.
    """
    levels = {
        "enforce": api_server.pod_security,
        "warn": api_server.pod_security,
        "audit": "restricted",
    }
    pod_security = {
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": levels | {f"{mode}-version": "latest" for mode in levels},
        "exemptions": {"namespaces": ["kube-system"]},
    }
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodSecurity", "configuration": pod_security}],
    }


def _oidc_flags(oidc: Oidc | None) -> Mapping[str, str]:
    if oidc is None:
        return {}
    values = {
        "oidc-issuer-url": oidc.issuer_url,
        "oidc-client-id": oidc.client_id,
        "oidc-username-claim": oidc.username_claim,
        "oidc-username-prefix": oidc.username_prefix,
        "oidc-groups-claim": oidc.groups_claim,
        "oidc-groups-prefix": oidc.groups_prefix,
        "oidc-ca-file": _OIDC_CA if oidc.ca_certificate else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _text(document: Mapping[str, Any]) -> str:
    """JSON is YAML."""
    return json.dumps(document, indent=1)
