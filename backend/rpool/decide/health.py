"""What a server's own files say about the part it plays in a cluster."""

from __future__ import annotations

from rpool.model.seen import Probed

CONTROL_PLANE_FILES = ("/etc/kubernetes/manifests", "/var/lib/etcd")
"""Traces that a worker never has; it has certificates, too."""


def runs_control_plane(probed: Probed) -> bool:
    """Whether a control plane may run on the server: it was one, or has files of one."""
    return probed.joined_control_plane or any(
        trace.startswith(CONTROL_PLANE_FILES) for trace in probed.traces
    )
