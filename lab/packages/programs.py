"""The programs that a release is made of, and the modules that they come from."""

from __future__ import annotations

from pathlib import Path

from lab import versions
from lab.cache import Cache, made
from lab.packages import go_modules
from lab.packages.go_modules import Program
from lab.versions import Release

KUBERNETES_BINARIES = (
    "kubeadm", "kubectl", "kubelet",
    "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
)  # fmt: skip
# The plugins that upstream's kubernetes-cni package has.
CNI_PLUGINS = {
    **{name: f"plugins/main/{name}" for name in (
        "bridge", "dummy", "host-device", "ipvlan", "loopback", "macvlan", "ptp", "tap", "vlan",
    )},
    **{name: f"plugins/ipam/{name}" for name in ("dhcp", "host-local", "static")},
    **{name: f"plugins/meta/{name}" for name in (
        "bandwidth", "firewall", "portmap", "sbr", "tuning", "vrf",
    )},
}  # fmt: skip
# A module does not say them, and only people read them.
COMMIT = "0" * 40
BUILD_DATE = "1970-01-01T00:00:00Z"


def kubernetes(release: Release) -> Program:
    """Kubernetes itself, stamped as its own release scripts stamp it."""
    major, minor, _ = release.kubernetes.split(".")
    facts = {
        "gitVersion": f"v{release.kubernetes}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "archive",
        "gitCommit": COMMIT,
        "buildDate": BUILD_DATE,
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return Program(
        "kubernetes",
        "k8s.io/kubernetes",
        release.kubernetes,
        {name: f"cmd/{name}" for name in KUBERNETES_BINARIES},
        stamps={
            f"{package}.{fact}": value for package in packages for fact, value in facts.items()
        },
        staging=release.staging,
    )


def companions(release: Release) -> list[Program]:
    """All but Kubernetes and pause, quick ones first."""
    plugins = "github.com/containernetworking/plugins"
    flannel = "github.com/flannel-io/flannel"
    return [
        Program("flannel-cni-plugin", plugins, versions.FLANNEL_CNI_PLUGIN,
                {"flannel": "plugins/meta/flannel"}),
        Program("cni-plugins", plugins, versions.CNI_PLUGINS, CNI_PLUGINS),
        Program("crictl", "sigs.k8s.io/cri-tools", versions.CRI_TOOLS,
                {"crictl": "cmd/crictl"},
                stamps={"sigs.k8s.io/cri-tools/pkg/version.Version": f"v{versions.CRI_TOOLS}"}),
        *[Program(name, f"go.etcd.io/etcd/{folder}/v3", release.etcd, {name: ""})
          for name, folder in
          (("etcd", "server"), ("etcdctl", "etcdctl"), ("etcdutl", "etcdutl"))],
        Program("flannel", flannel, versions.FLANNEL, {"flanneld": ""},
                stamps={f"{flannel}/pkg/version.Version": f"v{versions.FLANNEL}"},
                # one needs a module that is not served, the other cgo
                emptied=("pkg/backend/tencentvpc", "pkg/backend/udp")),
        Program("kube-vip", "github.com/kube-vip/kube-vip", versions.KUBE_VIP,
                {"kube-vip": ""}, stamps={"main.Release": f"v{versions.KUBE_VIP}"},
                sum=versions.KUBE_VIP_SUM),
        Program("metallb", "go.universe.tf/metallb", versions.METALLB,
                {"controller": "controller", "speaker": "speaker"}),
        Program("coredns", "github.com/coredns/coredns", release.coredns, {"coredns": ""}),
    ]  # fmt: skip


def built(cache: Cache, program: Program) -> Path:
    """The folder with the program's binaries, built if need be."""
    return made(
        cache.programs / program.key,
        f"building {program.name} {program.version}",
        lambda folder: go_modules.build(program, folder),
    )
