"""The YAML that users may give to parts of Kubernetes, and to kubeadm's checks.

Their configuration is merged into ours unchanged, so what would undo a promise of rpool's is
refused here. Every check raises ValueError with a sentence for the user.
"""

from __future__ import annotations

import json
import re
from typing import Any

from rpool import plain_yaml
from rpool.model.pool import CGROUP_DRIVERS
from rpool.model.secret import may_be_key, shown

CHECK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_ROTATES = "RotateKubeletServerCertificate"
_API_VERSIONS = {
    "KubeletConfiguration": "kubelet.config.k8s.io/v1beta1",
    "KubeProxyConfiguration": "kubeproxy.config.k8s.io/v1alpha1",
    "Policy": "audit.k8s.io/v1",
}


def kube_proxy(value: str) -> str:
    """Check a YAML mapping of KubeProxyConfiguration; it is parsed again where it is used."""
    settings(value, "KubeProxyConfiguration")
    return value


def kubelet(value: str) -> str:
    """Check a YAML mapping of KubeletConfiguration: its API must stay closed to others."""
    config = settings(value, "KubeletConfiguration")
    driver = config.get("cgroupDriver", CGROUP_DRIVERS[0])
    if driver not in CGROUP_DRIVERS:
        raise ValueError(f"cgroupDriver must be one of {' or '.join(CGROUP_DRIVERS)}")
    if _value_at(config, "authentication", "anonymous", "enabled"):
        raise ValueError(
            "authentication.anonymous.enabled = true lets anybody who reaches a node's port 10250 "
            "try to run commands in its pods; leave it off"
        )
    if _value_at(config, "authorization", "mode") not in (None, "Webhook"):
        raise ValueError(
            "authorization.mode must be Webhook: with any other, each certificate and token of the "
            "cluster may run commands in all pods of a node"
        )
    if config.get("readOnlyPort"):
        raise ValueError(
            "readOnlyPort shows all pods of a node, with their environment, to anybody who reaches "
            "it; leave it off"
        )
    gates = config.get("featureGates")
    rotates = gates.get(_ROTATES, True) if isinstance(gates, dict) else True
    if (
        config.get("serverTLSBootstrap", True) is not True
        or config.get("tlsCertFile")
        or not rotates
    ):
        raise ValueError(
            f"serverTLSBootstrap = false, a tlsCertFile of your own or the gate {_ROTATES} = "
            "false would keep the API from knowing a kubelet by its certificate; remove them"
        )
    return value


def preflight_check(value: str) -> str:
    """Check the name of a kubeadm preflight check, as in its errors: `[ERROR Swap]`."""
    if value.lower() == "all":
        raise ValueError(
            '"all" would also ignore leftovers of another cluster on a server, and ports in '
            "use; name the checks, as kubeadm's errors do: Swap, NumCPU, SystemVerification"
        )
    if not CHECK.fullmatch(value) or may_be_key(value):
        raise ValueError(f"{shown(value)} is not the name of a kubeadm check, such as NumCPU")
    return value


def settings(value: str, kind: str) -> dict[Any, Any]:
    """The mapping in a YAML text. It may have an apiVersion and a kind, which must be of `kind`."""
    import yaml  # slow to load, and few configurations have such a text

    try:
        parsed = plain_yaml.load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = str(getattr(error, "problem", ""))  # the others quote the text
        why = f": {problem}" if problem.startswith(plain_yaml.TWICE) else ""
        raise ValueError(f"this is not YAML{where}{why}") from None
    if not isinstance(parsed, dict):
        raise ValueError("this is not a YAML mapping; use yamlencode({ ... })")  # noqa: TRY004 pydantic reads ValueErrors
    for name, ours in {"apiVersion": _API_VERSIONS[kind], "kind": kind}.items():
        if parsed.get(name, ours) != ours:
            raise ValueError(f"{name} can only be {ours} here. Correct it, or remove it")
    try:
        json.dumps(parsed, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise ValueError(
            "this has a value that kubeadm does not accept, such as a date without quotes, or .nan"
        ) from None
    return parsed


def _value_at(settings: Any, *path: str) -> Any:
    for step in path:
        settings = settings.get(step) if isinstance(settings, dict) else None
    return settings
