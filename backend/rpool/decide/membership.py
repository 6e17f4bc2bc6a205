"""Which servers are a cluster's, and how far in: what their claims say of it."""

from __future__ import annotations

from collections.abc import Mapping

from rpool.model.claim import Claim
from rpool.model.pool import PoolUid
from rpool.model.seen import Probed
from rpool.model.server import ServerName

CONTROL_PLANE_FILES = ("/etc/kubernetes/manifests", "/var/lib/etcd")
"""Traces that a worker never has; it has certificates, too."""


def claims_of(uid: PoolUid, seen: Mapping[ServerName, Probed]) -> dict[ServerName, Claim]:
    """The cluster's own claims among what was seen."""
    found = {name: probed.claim_of(uid) for name, probed in seen.items()}
    return {name: claim for name, claim in found.items() if claim is not None}


def runs_control_plane(probed: Probed) -> bool:
    """Whether a control plane may run on the server: it was one, or has files of one."""
    return probed.joined_control_plane or any(
        trace.startswith(CONTROL_PLANE_FILES) for trace in probed.traces
    )
