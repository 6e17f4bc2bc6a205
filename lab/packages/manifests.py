"""Third-party manifests, served as they are: flannel's and MetalLB's out of the module cache."""

from __future__ import annotations

import re

from lab import versions
from lab.cache import Cache, write
from lab.packages import go_modules

_IMAGE = re.compile(r"^\s*(?:- )?image:\s*\"?([^\s\"]+)", re.MULTILINE)

# Path below a mirror, where rpool looks for it: module, version, and path in the module.
SERVED = {
    f"flannel/v{versions.FLANNEL}/kube-flannel.yml": (
        "github.com/flannel-io/flannel", versions.FLANNEL,
        "Documentation/kube-flannel.yml",
    ),
    f"metallb/v{versions.METALLB}/metallb-native.yaml": (
        "go.universe.tf/metallb", versions.METALLB,
        "config/manifests/metallb-native.yaml",
    ),
}  # fmt: skip


def publish(cache: Cache) -> dict[str, str]:
    """Write the manifests below the web server's root and return them by path."""
    served: dict[str, str] = {}
    for mirrored, (module, version, inside) in SERVED.items():
        path = f"manifests/{mirrored}"
        source = go_modules.download(module, version, go_modules.ENVIRONMENT).folder / inside
        write(cache.www / path, source.read_bytes())
        served[path] = source.read_text()
    return served


def images_in(manifest: str) -> set[tuple[str, str]]:
    """(repository without host, tag) of each image that a manifest names."""
    return {split_reference(reference) for reference in _IMAGE.findall(manifest)}


def split_reference(reference: str) -> tuple[str, str]:
    """`registry.k8s.io/coredns/coredns:v1` becomes (`coredns/coredns`, `v1`)."""
    name, _, tag = reference.partition(":")
    host, _, rest = name.partition("/")
    return (rest if "." in host else name), tag
