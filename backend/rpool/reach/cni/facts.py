"""What the engine must know of a CNI: how it is installed, and what it leaves on a server."""

from __future__ import annotations

from dataclasses import dataclass

from rpool.reach.manifests import Manifest


@dataclass(frozen=True, slots=True)
class Install:
    """How a CNI is installed: by its manifest, with the cluster's pod CIDR in it.

    `script` is a file of this folder, without `.sh`. It has one function, `set_pod_cidr FILE`,
    which puts $POD_CIDR into the fetched manifest, or fails (see scripts/network.sh).
    """

    manifest: Manifest
    script: str
    # Images without which no node becomes Ready: servers fetch them ahead.
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cni:
    """`install` is None where the user installs the CNI. The rest is what it leaves on a server,
    beyond what every CNI does: a server that has any of it is dirty, and a reset removes it.
    """

    install: Install | None = None
    # Paths of its configuration, below /etc/cni/net.d.
    configuration: tuple[str, ...] = ()
    # Paths that belong to it alone.
    folders: tuple[str, ...] = ()
    # Files that its pods put into /opt/cni/bin. One that a package owns is not touched. (The
    # plugins that many CNIs call, like bridge and portmap, come with the kubelet's package.)
    plugins: tuple[str, ...] = ()
    # Names of network interfaces, as extended regular expressions.
    interfaces: tuple[str, ...] = ()
    # The part before the first dash of the names of its chains, in iptables.
    chains: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        return self.install.images if self.install else ()
