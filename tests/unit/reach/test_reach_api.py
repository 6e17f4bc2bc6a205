"""Whether a server reaches the API of the cluster that it joined, for real: through a real sshd."""

from __future__ import annotations

import pytest
from worlds.sshd import TestServer

from rpool.reach.world import RealWorld

KUBELET_CONF = "clusters:\n- cluster:\n    server: https://10.0.1.200:6443\n"


@pytest.mark.parametrize(("code", "reaches"), [(0, True), (7, False), (28, False)])
def test_a_server_is_asked_for_the_api_of_its_kubelet(
    world: RealWorld, server: TestServer, code: int, reaches: bool
) -> None:
    conf = server.path("/etc/kubernetes/kubelet.conf")
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(KUBELET_CONF)
    server.marker("curl", f"exit {code}")
    assert world.reaches_api("r1u04") is reaches
    assert server.calls.strip().endswith("https://10.0.1.200:6443/livez")


def test_a_server_that_joined_nothing_reaches_no_api(world: RealWorld, server: TestServer) -> None:
    server.marker("curl", "exit 0")
    assert not world.reaches_api("r1u04")
    assert "curl" not in server.calls
