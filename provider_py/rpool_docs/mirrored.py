"""What the mirrors of a site without internet access must have: all that the engine downloads."""

from __future__ import annotations

from rpool.model.cni import CNIS
from rpool.reach import cni, vip
from rpool.reach.manifests import METALLB, Manifest


def manifests() -> str:
    """A table of manifests: purpose, upstream URL, path below a mirror, digest."""
    installs = ((name, cni.named(name).install) for name in CNIS)
    rows = [
        _row(f'`cni = "{name}"`', install.manifest)
        for name, install in installs
        if install is not None
    ]
    rows.append(_row("`metallb`", METALLB))
    header = "| for | upstream | path below `manifests` | SHA-256 |\n| --- | --- | --- | --- |"
    return "\n".join([header, *rows])


def images() -> str:
    """A list of the images that rpool itself names."""
    named = [image for name in CNIS for image in cni.named(name).images]
    return "\n".join(f"- `{image}`" for image in (vip.IMAGE, *named))


def _row(purpose: str, manifest: Manifest) -> str:
    return f"| {purpose} | `{manifest.upstream}` | `{manifest.mirrored}` | `{manifest.sha256}` |"
