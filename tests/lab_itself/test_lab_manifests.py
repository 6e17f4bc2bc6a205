"""The lab's mirror has each manifest that the engine knows."""

from __future__ import annotations

from lab.packages.manifests import SERVED

from rpool.reach import cni
from rpool.reach.manifests import METALLB


def test_the_lab_serves_the_manifests_of_all_cnis_and_of_metallb() -> None:
    installed = [plugin.install.manifest for plugin in cni.KNOWN.values() if plugin.install]
    assert set(SERVED) == {manifest.mirrored for manifest in [*installed, METALLB]}
