"""The YAML that users write for parts of Kubernetes, parsed again where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rpool import plain_yaml
from rpool.errors import Refused


def settings(text: str | None) -> Mapping[str, Any]:
    """The mapping in a text; empty for None. Raises Refused when it is no mapping: the text may
    come from a cluster's record.
    """
    if text is None:
        return {}
    import yaml  # slow to load, and few clusters have such a text

    try:
        parsed = plain_yaml.load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise Refused("a text for the kubelet, kube-proxy or the API server is no YAML mapping")
    return parsed
