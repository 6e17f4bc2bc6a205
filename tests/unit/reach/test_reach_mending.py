"""How a member that is not well is mended where it is, through a real sshd."""

from __future__ import annotations

import pytest
from worlds.samples import OURS
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.errors import CommandFailed, TimedOut
from rpool.model import action as act
from rpool.reach.world import RealWorld

MEND = act.Mend("r1u04", OURS)


def node(server: TestServer, *states: str) -> None:
    """Makes the API tell these states of its Node, the next one each time that it is asked."""
    answers = server.root / "states"
    answers.write_text("\n".join(states) + "\n")
    server.marker(
        "kubectl", f"head -n 1 {answers}; [ $(wc -l <{answers}) = 1 ] || sed -i 1d {answers}"
    )


def restarted(server: TestServer) -> list[str]:
    return [line.split()[-1] for line in server.calls.splitlines() if " restart " in f" {line}"]


def test_the_runtime_is_restarted_before_the_kubelet_and_the_node_awaited(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker("systemctl", "exit 0")
    node(server, "Unknown the kubelet stopped posting", "False starting", "True kubelet is ready")
    world.carry_out(MEND, 60)
    assert restarted(server) == ["containerd.service", "kubelet.service"]


def test_a_node_that_stays_not_ready_is_told_with_its_own_words(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker("systemctl", "exit 0")
    node(server, "False container runtime network not ready")
    with pytest.raises(TimedOut) as caught:
        world.carry_out(MEND, 7)
    assert "container runtime network not ready" in f"{caught.value} {caught.value.detail}"


def test_a_runtime_that_does_not_start_is_told_at_once(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker("systemctl", "echo 'Job for containerd.service failed' >&2; exit 1")
    with pytest.raises(CommandFailed) as caught:
        world.carry_out(MEND, 60)
    assert "Job for containerd.service failed" in caught.value.detail
    assert "kubelet.service" not in restarted(server)
