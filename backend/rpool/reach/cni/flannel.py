"""Flannel: VXLAN between servers, and on each the bridge and portmap plugins."""

from __future__ import annotations

from rpool.reach.cni.facts import Cni, Install
from rpool.reach.manifests import RAW, Manifest

VERSION = "v0.28.4"

FLANNEL = Cni(
    Install(
        Manifest(
            f"{RAW}/flannel-io/flannel/{VERSION}/Documentation/kube-flannel.yml",
            f"flannel/{VERSION}/kube-flannel.yml",
            "0bd380eb4954227c903bdea96dc9254650badd2d45ebe31978a47c3ffe2e9727",
        ),
        script="flannel",
        images=(
            "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1",
            f"ghcr.io/flannel-io/flannel:{VERSION}",
        ),
    ),
    configuration=("/etc/cni/net.d/10-flannel.conflist",),
    folders=("/run/flannel",),
    plugins=("flannel",),
    interfaces=("flannel.*[.]1",),  # flannel.1, flannel-v6.1: by the VXLAN's number
    chains=("FLANNEL",),
)
