"""What the mirrors of a site without internet access have to have: what the engine names."""

from __future__ import annotations

from rpool.model.cni import CNIS
from rpool.reach import cni, vip
from rpool.reach.manifests import METALLB, Manifest


def manifests() -> str:
    """A table: what for, the upstream address, the path below a mirror, the digest."""
    installs = ((name, cni.named(name).install) for name in CNIS)
    rows = [_row(f'`cni = "{name}"`', its.manifest) for name, its in installs if its is not None]
    rows.append(_row("`metallb`", METALLB))
    head = "| for | upstream | path below `manifests` | SHA-256 |\n| --- | --- | --- | --- |"
    return "\n".join([head, *rows])


def images() -> str:
    """A list of those that rpool itself names."""
    named = [image for name in CNIS for image in cni.named(name).images]
    return "\n".join(f"- `{image}`" for image in (vip.IMAGE, *named))


def _row(what: str, its: Manifest) -> str:
    return f"| {what} | `{its.upstream}` | `{its.mirrored}` | `{its.sha256}` |"
