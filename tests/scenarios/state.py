"""What Terraform's state says of clusters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def resources(folder: Path) -> list[dict[str, Any]]:
    path = folder / "terraform.tfstate"
    return list(json.loads(path.read_text())["resources"]) if path.exists() else []


def instance(folder: Path, name: str = "demo") -> dict[str, Any]:
    """The one instance of an rpool_cluster, with its status; empty when it is not in the state."""
    for resource in resources(folder):
        if (resource["type"], resource["name"]) == ("rpool_cluster", name):
            return dict(resource["instances"][0])
    return {}


def attributes(folder: Path, name: str = "demo") -> dict[str, Any]:
    """The attributes of a cluster; empty when it is not in the state."""
    return dict(instance(folder, name).get("attributes", {}))


def with_role(folder: Path, role: str, name: str = "demo") -> list[str]:
    servers = attributes(folder, name)["servers"]
    return sorted(member for member, server in servers.items() if server["role"] == role)
