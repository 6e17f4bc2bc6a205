"""A provider block as a user writes it, decoded: six servers that are reached with one key."""

from __future__ import annotations

from typing import Any

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
