"""No CNI of ours: the user installs one, with a tool of their own. What the usual ones leave counts
all the same, so that such a server is no spare, and is clean after a reset.
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
