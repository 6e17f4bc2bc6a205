"""Packs programs into Debian packages with upstream's names, versions and dependencies."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import versions
from lab.cache import Cache
from lab.command import run
from lab.packages import programs
from lab.versions import PACKAGE_REVISION, Release

UNITS = Path(__file__).parent / "units"
KUBELET_DROP_IN = "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"


@dataclass(frozen=True)
class Package:
    """A binary package: `files` maps a path on the server to the file that goes there."""

    name: str
    version: str
    depends: str
    description: str
    files: Mapping[str, Path]
    folders: tuple[str, ...] = field(default=())

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version}_amd64.deb"

    @property
    def control(self) -> str:
        depends = f"Depends: {self.depends}\n" if self.depends else ""
        return (
            f"Package: {self.name}\n"
            f"Version: {self.version}\n"
            "Architecture: amd64\n"
            "Maintainer: the rpool lab <lab@rpool.invalid>\n"
            "Section: admin\n"
            "Priority: optional\n"
            f"{depends}"
            f"Description: {self.description}\n"
            " Built by the rpool lab from Go modules; not an official package.\n"
        )


def packages(cache: Cache, release: Release) -> list[Package]:
    """The packages of upstream's repository for this minor version."""
    kubernetes = programs.built(cache, programs.kubernetes(release))
    others = {program.name: program for program in programs.companions(release)}
    plugins = programs.built(cache, others["cni-plugins"])
    crictl = programs.built(cache, others["crictl"])
    version = f"{release.kubernetes}-{PACKAGE_REVISION}"
    return [
        Package(
            "kubeadm", version, "cri-tools (>= 1.30.0)", "Kubernetes' cluster bootstrapper",
            {"usr/bin/kubeadm": kubernetes / "kubeadm",
             KUBELET_DROP_IN: UNITS / "10-kubeadm.conf"},
        ),
        Package(
            "kubelet", version,
            "iptables (>= 1.4.21), kubernetes-cni (>= 1.2.0), iproute2, mount, util-linux",
            "Kubernetes' agent on a server",
            {"usr/bin/kubelet": kubernetes / "kubelet",
             "usr/lib/systemd/system/kubelet.service": UNITS / "kubelet.service"},
            folders=("etc/kubernetes/manifests", "var/lib/kubelet"),
        ),
        Package("kubectl", version, "", "Kubernetes' command line",
                {"usr/bin/kubectl": kubernetes / "kubectl"}),
        Package("cri-tools", f"{versions.CRI_TOOLS}-{PACKAGE_REVISION}", "",
                "Command line for container runtimes", {"usr/bin/crictl": crictl / "crictl"}),
        Package("kubernetes-cni", f"{versions.CNI_PLUGINS}-{PACKAGE_REVISION}", "",
                "Network plugins for containers",
                {f"opt/cni/bin/{path.name}": path for path in sorted(plugins.iterdir())},
                folders=("etc/cni/net.d",)),
    ]  # fmt: skip


def write(package: Package, folder: Path) -> Path:
    """Build the .deb file into the folder unless it is there, and return it."""
    done = folder / package.file_name
    if done.exists():
        return done
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rpool-lab-deb-") as scratch:
        tree = Path(scratch)
        tree.chmod(0o755)
        for path in package.folders:
            (tree / path).mkdir(parents=True)
        for path, source in package.files.items():
            target = tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(0o755 if "/bin/" in f"/{path}" else 0o644)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN" / "control").write_text(package.control)
        unfinished = done.with_suffix(".unfinished")
        run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", tree, unfinished)
        unfinished.rename(done)
    return done
