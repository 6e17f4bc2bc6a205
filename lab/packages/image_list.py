"""Which images a cluster of the lab pulls, and what is in each.

The names are upstream's without the host: one line in containerd's configuration sends every
registry to the lab's, as at an air-gapped site.
"""

from __future__ import annotations

from pathlib import Path

from lab import versions
from lab.cache import Cache
from lab.command import LabError, run
from lab.packages import manifests, programs
from lab.packages.hello import hello
from lab.packages.image import Image, Storage
from lab.packages.pause import pause
from lab.packages.system_layer import system_layer
from lab.progress import step
from lab.versions import Release


def publish(cache: Cache, release: Release, guest: Path, served: dict[str, str]) -> None:
    """Store every image of the release, and check that every image that is named is stored."""
    storage = Storage(cache.registry)
    with step("storing images"):
        for image in _images(cache, release, system_layer(guest)):
            storage.push(image)
    named = _named_by_kubeadm(cache, release)
    for manifest in served.values():
        named |= manifests.images_in(manifest)
    missing = sorted(f"{name}:{tag}" for name, tag in named if not storage.has(name, tag))
    if missing:
        raise LabError(f"no image was made for {', '.join(missing)}; see lab/versions.py")


def _named_by_kubeadm(cache: Cache, release: Release) -> set[tuple[str, str]]:
    kubeadm = programs.built(cache, programs.kubernetes(release)) / "kubeadm"
    version = f"v{release.kubernetes}"
    listed = run(kubeadm, "config", "images", "list", "--kubernetes-version", version)
    return {manifests.split_reference(line) for line in listed.split()}


def _images(cache: Cache, release: Release, system: bytes) -> list[Image]:
    folders = {
        program.name: programs.built(cache, program)
        for program in [programs.kubernetes(release), *programs.companions(release)]
    }
    folders["pause"] = pause(cache, release)
    return [
        *_kubernetes(release, folders, system),
        *_network(folders, system),
        Image("rpool/hello", versions.HELLO, {"hello": hello(cache) / "hello"}, ["/hello"],
              user="65532:65532"),
    ]  # fmt: skip


def _kubernetes(release: Release, folders: dict[str, Path], system: bytes) -> list[Image]:
    tag = f"v{release.kubernetes}"
    kubernetes = folders["kubernetes"]
    control_plane = [
        Image(name, tag, {f"usr/local/bin/{name}": kubernetes / name}, [f"/usr/local/bin/{name}"])
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    etcd = {
        f"usr/local/bin/{name}": folders[name] / name for name in ("etcd", "etcdctl", "etcdutl")
    }
    return [
        *control_plane,
        Image("kube-proxy", tag, {"usr/local/bin/kube-proxy": kubernetes / "kube-proxy"},
              ["/usr/local/bin/kube-proxy"], below=[system]),
        Image("etcd", f"{release.etcd}-0", etcd, ["/usr/local/bin/etcd"]),
        Image("coredns/coredns", f"v{release.coredns}",
              {"coredns": folders["coredns"] / "coredns"}, ["/coredns"]),
        Image("pause", release.pause, {"pause": folders["pause"] / "pause"}, ["/pause"],
              user="65535:65535"),
    ]  # fmt: skip


def _network(folders: dict[str, Path], system: bytes) -> list[Image]:
    metallb = f"v{versions.METALLB}"
    return [
        Image("flannel-io/flannel", f"v{versions.FLANNEL}",
              {"opt/bin/flanneld": folders["flannel"] / "flanneld"},
              ["/opt/bin/flanneld"], below=[system]),
        Image("flannel-io/flannel-cni-plugin", versions.FLANNEL_CNI_PLUGIN_TAG,
              {"flannel": folders["flannel-cni-plugin"] / "flannel"}, below=[system]),
        Image("kube-vip/kube-vip", f"v{versions.KUBE_VIP}",
              {"kube-vip": folders["kube-vip"] / "kube-vip"}, ["/kube-vip"], below=[system]),
        Image("metallb/controller", metallb,
              {"controller": folders["metallb"] / "controller"}, ["/controller"]),
        Image("metallb/speaker", metallb,
              {"speaker": folders["metallb"] / "speaker"}, ["/speaker"], below=[system]),
    ]  # fmt: skip
