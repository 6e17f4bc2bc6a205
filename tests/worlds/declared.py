"""A provider block and a cluster as a user writes them, decoded: six servers that are reached with
one key, and a cluster that takes five of them.
"""

from __future__ import annotations

import copy
from typing import Any

from rpool.errors import Path

HOST_KEYS = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + 42 * letter + "A" for letter in "ABCDEF"]
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nQUJD\n-----END RSA PRIVATE KEY-----\n"
SITE: dict[str, Any] = {
    "fleet": {
        f"r{i % 3 + 1}u{i:02}": {
            "address": f"10.0.1.{i + 4}",
            "cores": 8,
            "memory": 16,
            "zone": f"rack{i % 3 + 1}",
            "host_key": HOST_KEYS[i],
            "labels": {"disk": "nvme"} if i % 2 else None,
        }
        for i in range(6)
    },
    "ssh": {"private_key": PRIVATE_KEY, "user": None},
    "mirrors": None,
}
POOL: dict[str, Any] = {
    "name": "batch",
    "kubernetes_version": "1.36.3",
    "cores": 16,
    "memory": 32,
    "control_plane": {"servers": 3, "endpoint": {"vip": "10.0.1.200", "address": None}},
    "selector": {"zones": ["rack1", "rack2", "rack3"], "labels": None},
    "networking": {"pod_cidr": None, "service_cidr": None, "cni": None},
    "metallb": {"pools": {"default": ["10.0.1.210-10.0.1.230"]}},
    "kubeadm": None,
}


def changed(config: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(config)
    at: Any = config
    for step in path[:-1]:
        if at[step] is None:
            at[step] = {}
        at = at[step]
    at[path[-1]] = value
    return config
