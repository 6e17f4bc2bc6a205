"""No CNI of ours: users install one with a tool of their own. Traces of the usual CNIs count all
the same, so that such a server is no spare, and is clean after a reset.
"""

from __future__ import annotations

from rpool.reach.cni.facts import Cni

NONE = Cni(
    interfaces=(
        "kube-bridge",  # kube-router
        "cilium_host",
        "vxlan[.]calico",
    ),
)
