"""Which versions belong together.

The companions of a Kubernetes version are those that its kubeadm names
(`kubeadm config images list`); the build checks this table against kubeadm's own answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.command import LabError

DEFAULT_KUBERNETES = "1.36.3"

CNI_PLUGINS = "1.9.1"
CRI_TOOLS = "1.37.0"
FLANNEL = "0.28.4"
# The flannel plugin left containernetworking/plugins after this version.
FLANNEL_CNI_PLUGIN = "0.9.1"
# What flannel's manifest names; the plugin in the image is the one above.
FLANNEL_CNI_PLUGIN_TAG = "v1.9.1-flannel1"
KUBE_VIP = "1.0.0"
METALLB = "0.15.2"
HELLO = "2"

# kube-vip is not in the public checksum database, so its hash is pinned here.
KUBE_VIP_SUM = "h1:QvcGrTGziaBzM5tnhNWlsb9mI0tmF9gYh+VBfRDZ8w8="

PACKAGE_REVISION = "1.1"


@dataclass(frozen=True)
class Release:
    """A Kubernetes version and the companions that its kubeadm asks for."""

    kubernetes: str
    etcd: str
    coredns: str
    pause: str

    @property
    def minor(self) -> str:
        """The name of its package repository: v1.36."""
        major, minor, _ = self.kubernetes.split(".")
        return f"v{major}.{minor}"

    @property
    def staging(self) -> str:
        """The version of its staging modules: 0.36.3."""
        return "0." + self.kubernetes.split(".", 1)[1]


RELEASES = {
    release.kubernetes: release
    for release in (
        Release("1.36.3", etcd="3.6.8", coredns="1.14.2", pause="3.10.2"),
        Release("1.37.2", etcd="3.7.0", coredns="1.14.6", pause="3.10.2"),
    )
}


def release_of(kubernetes: str) -> Release:
    """The release of that version, or an error that lists the known ones."""
    try:
        return RELEASES[kubernetes]
    except KeyError:
        known = ", ".join(RELEASES)
        raise LabError(f"the lab knows Kubernetes {known}, not {kubernetes}") from None
