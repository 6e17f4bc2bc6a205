"""What is seen of nodes and set on them, through a real sshd and a kubectl that answers."""

from __future__ import annotations

import pytest
from worlds.samples import OURS, changing
from worlds.sshd import TestServer

from reach.conftest import claim, told
from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.reach.world import RealWorld

SET_NODE = next(a for a in changing() if isinstance(a, act.SetNode))
REMOVAL = "taint node r1u09 gone:NoExecute-"


def test_a_cluster_without_a_node_can_be_looked_at(world: RealWorld, server: TestServer) -> None:
    """All may have been deleted by hand; whoever sees that can let the kubelets register again."""
    certificate = server.certify()
    cluster = world.observe("r1u04")
    assert cluster.nodes == {}
    assert cluster.ca_certificate == certificate


@pytest.mark.parametrize(
    ("taints", "removed"),
    [
        ("gone:NoExecute", True),
        ("other:NoSchedule\ngone:NoExecute", True),
        ("gone:NoSchedule", False),
    ],
)
def test_a_taint_is_removed_where_it_is(
    world: RealWorld, server: TestServer, taints: str, removed: bool
) -> None:
    claim(world)
    (server.root / "taints").write_text(f"{taints}\n")
    server.marker("kubectl", f"case $* in *' get node '*) cat {server.root}/taints ;; esac")
    world.carry_out(SET_NODE, 60)
    assert (REMOVAL in told(server)) is removed


def test_a_taint_that_could_not_be_looked_at_is_not_gone(
    world: RealWorld, server: TestServer
) -> None:
    """Otherwise the node would keep it for ever, and no record would know."""
    claim(world)
    server.marker("kubectl", "case $* in *' get node '*) echo 'no API' >&2; exit 1 ;; esac")
    with pytest.raises(CommandFailed, match="setting labels and taints of r1u09 failed") as caught:
        world.carry_out(SET_NODE, 60)
    assert "no API" in caught.value.detail


@pytest.mark.parametrize(
    ("pods", "moved"),
    [
        ("r1u04 dns-a\nr1u04 dns-b", "dns-b"),
        ("r1u04 dns-a\nr1u05 dns-b", ""),
        ("r1u04 dns-a", ""),  # the other one has yet to start: it avoids this one's node by itself
        ("r1u04 dns-a\nr1u04 dns-a", ""),
        ("", ""),  # the user's own DNS
    ],
)
def test_one_dns_server_is_moved_where_all_are_on_one_node(
    world: RealWorld, server: TestServer, pods: str, moved: str
) -> None:
    claim(world)
    (server.root / "pods").write_text(f"{pods}\n")
    server.marker("kubectl", f"case $* in *' get pods '*) cat {server.root}/pods ;; esac")
    world.carry_out(act.SpreadDns("r1u04", OURS), 60)
    calls = [line for line in server.calls.splitlines() if " delete pod " in line]
    assert [word for line in calls for word in line.split() if "dns-" in word] == moved.split()
