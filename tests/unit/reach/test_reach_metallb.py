"""MetalLB is installed without a wait for anything of it to run, for real: through a real sshd."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from worlds.samples import OURS
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.errors import TimedOut
from rpool.model import action as act
from rpool.model.site import Mirrors
from rpool.reach.manifests import METALLB
from rpool.reach.world import RealWorld

MANIFEST = """apiVersion: v1
kind: Namespace
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
webhooks: []
"""
POOLS = {"default": ("10.0.1.210-10.0.1.230",)}


def install(server: TestServer, seconds: float = 60) -> None:
    manifest = server.root / METALLB.mirrored
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(MANIFEST)
    server.marker("sha256sum", f"echo '{METALLB.sha256}  file'")
    site = replace(server.site(), mirrors=Mirrors(manifests=f"file://{server.root}"))
    with closing(RealWorld(site)) as mirrored:
        mirrored.carry_out(act.ApplyMetalLB("r1u04", OURS, POOLS), seconds)


def applied(server: TestServer) -> list[list[str]]:
    """The kinds of what was applied, apply by apply."""
    log = server.root / "applied"
    texts = log.read_text().split("<apply>\n")[1:] if log.exists() else []
    kinds = []
    for text in texts:
        lines = [line.strip(' ",') for line in text.replace(", ", "\n").splitlines()]
        kinds.append(
            [entry.split(":")[1].strip(' "') for entry in lines if entry.startswith("kind")]
        )
    return kinds


def kubectl(server: TestServer, body: str) -> None:
    """A kubectl that does as `body` says, and keeps what is applied."""
    into = f"{server.root}/applied"
    keep = f'case $* in *" apply "*) {{ echo "<apply>"; cat "$file"; }} >>{into} ;; esac'
    server.marker("kubectl", f"for file; do :; done\n{body}\n{keep}")


def test_the_webhook_comes_after_the_pools_that_it_would_refuse(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    kubectl(server, ":")
    install(server)
    assert applied(server) == [
        ["Namespace", "CustomResourceDefinition"],
        ["IPAddressPool", "L2Advertisement"],
        ["ValidatingWebhookConfiguration"],
    ]


def test_pools_wait_until_the_cluster_knows_their_kind(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    tries = f"echo x >>{server.root}/tries; [ $(wc -l <{server.root}/tries) -gt 2 ] || exit 1"
    kubectl(server, f'case $* in *" get "*) {tries} ;; esac')
    install(server)
    assert applied(server)[-1] == ["ValidatingWebhookConfiguration"]


def test_pools_that_cannot_be_had_leave_the_webhook_out(
    world: RealWorld, server: TestServer
) -> None:
    """The next attempt then needs it no more than this one did."""
    claim(world)
    kubectl(server, 'case $* in *" get "*) echo "no such kind" >&2; exit 1 ;; esac')
    with pytest.raises(TimedOut, match="installing MetalLB") as caught:
        install(server, 7)
    assert "no such kind" in caught.value.detail
    assert applied(server) == [["Namespace", "CustomResourceDefinition"]]
