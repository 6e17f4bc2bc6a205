"""The API's virtual IP: kube-vip as a static pod, which the kubelet starts before there is an API.

The settings are those of kube-vip's own generator for a control plane with ARP, except the ones
that decide how long the API is gone when the address's holder dies: docs/decisions/011.
"""

from __future__ import annotations

import json
from typing import Any

USER = "rpool:kube-vip"
"""The user as which kube-vip talks to the API."""

_LEASE = "plndr-cp-lock"

IMAGE = "ghcr.io/kube-vip/kube-vip:v1.0.0"


def pod(vip: str) -> str:
    """The manifest; the server fills in @INTERFACE@, the one that has the server's address.

    The kubeconfig is made on the server (see scripts/membership.sh), for USER only.
    """
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "kube-vip", "namespace": "kube-system"},
            "spec": {
                "hostNetwork": True,
                "priorityClassName": "system-node-critical",
                # kube-vip talks to the API on its own server, not at the address it holds.
                "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["kubernetes"]}],
                "containers": [_container(vip)],
                "volumes": [
                    {"name": "kubeconfig", "hostPath": {"path": "/etc/kubernetes/kube-vip.conf"}}
                ],
            },
        },
        indent=1,
    )


def rights() -> str:
    """USER's rights: to keep the lease that says which server has the address."""
    api, where = "rbac.authorization.k8s.io", {"name": USER, "namespace": "kube-system"}
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    role = {
        "apiVersion": f"{api}/v1",
        "kind": "Role",
        "metadata": where,
        "rules": [
            {**leases, "verbs": ["create"]},  # RBAC cannot restrict a create by name
            {**leases, "verbs": ["get", "update"], "resourceNames": [_LEASE]},
        ],
    }
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": where,
        "roleRef": {"apiGroup": api, "kind": "Role", "name": USER},
        "subjects": [{"apiGroup": api, "kind": "User", "name": USER}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [role, binding]})


def _container(vip: str) -> dict[str, Any]:
    settings = {
        "address": vip,
        "port": "6443",
        "cp_enable": "true",
        "cp_namespace": "kube-system",
        "vip_arp": "true",
        "vip_interface": "@INTERFACE@",
        "prometheus_server": "127.0.0.1:2112",  # else its metrics are open to the whole network
        "vip_subnet": "128" if ":" in vip else "32",
        "vip_leaderelection": "true",
        "vip_leasename": _LEASE,
        "vip_leaseduration": "3",
        "vip_renewdeadline": "2",
        "vip_retryperiod": "1",
        "vip_arpRate": "500",  # ms: also how long a new holder may wait to announce itself
    }
    node_name = {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    return {
        "name": "kube-vip",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["manager"],
        "env": [
            *({"name": name, "value": value} for name, value in settings.items()),
            {"name": "vip_nodename", **node_name},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "kubeconfig", "mountPath": "/etc/kubernetes/admin.conf"}],
    }
