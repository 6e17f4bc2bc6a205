"""Third-party manifests: where upstream publishes them, and their digests.

None is copied into this repository. The server fetches them from upstream or from the site's
mirror, and refuses a file with another digest, so a mirror need not be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

from rpool.model.site import Mirrors

RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class Manifest:
    """`upstream` is the URL at the release's tag, `mirrored` the path below a mirror."""

    upstream: str
    mirrored: str
    sha256: str

    def url(self, mirrors: Mirrors) -> str:
        if mirrors.manifests is None:
            return self.upstream
        return f"{mirrors.manifests.rstrip('/')}/{self.mirrored}"


METALLB = Manifest(
    f"{RAW}/metallb/metallb/v0.15.2/config/manifests/metallb-native.yaml",
    "metallb/v0.15.2/metallb-native.yaml",
    "a1b04c376fb39c93265f551fe23716a3ae6e09b790edb3bf257d3fc784c35a18",
)
