"""A drain ends when the volumes of its nodes are let go: through RealWorld and a real sshd."""

from __future__ import annotations

import time

import pytest
from worlds.samples import OURS
from worlds.sshd import TestServer

from reach.conftest import claim, told
from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.action import Budgets
from rpool.reach.world import RealWorld

SEEN = "r1u05  <none>  <none>  <none>\n"
BUDGETS = pytest.mark.parametrize("budgets", [*Budgets])


def drain(world: RealWorld, budgets: Budgets, seconds: int = 2) -> None:
    world.carry_out(act.Drain("r1u04", OURS, ("r1u05",), seconds, budgets), 60)


def kubectl(server: TestServer, volumes: str = "", attached: str = "") -> None:
    """These commands tell which volumes are used and attached; `$looks` counts the questions."""
    looks = server.root / "looks"
    count = f"echo >>{looks}; looks=$(grep -c '' {looks})"
    server.marker(
        "kubectl",
        f"""case $* in
*' get nodes '*) printf '%s' '{SEEN}' ;;
*' get node '*) {count}; {volumes or "echo 'r1u05 <none>'"} ;;
*' get volumeattachments '*) {count}; {attached or ":"} ;;
esac""",
    )


def drained(server: TestServer) -> bool:
    return any(call.startswith("drain r1u05") for call in told(server))


def given_back(server: TestServer) -> bool:
    return "uncordon r1u05" in told(server)


@BUDGETS
def test_a_drain_waits_until_volumes_are_let_go(
    world: RealWorld, server: TestServer, budgets: Budgets
) -> None:
    claim(world)
    use = "[ $looks -gt 2 ] && echo 'r1u05 <none>' || echo 'r1u05 kubernetes.io/csi/disks^1'"
    kubectl(server, volumes=use, attached="[ $looks -gt 4 ] || echo 'r1u05 pvc-1'")
    drain(world, budgets, seconds=30)
    assert drained(server)
    assert not given_back(server)
    looks = (server.root / "looks").read_text().count("\n")
    assert looks >= 5


@BUDGETS
@pytest.mark.parametrize(
    ("use", "said"),
    [
        ({"volumes": "echo 'r1u05 csi/disks^1,csi/disks^2'"}, "r1u05 uses volume csi/disks^1,csi"),
        ({"attached": "echo 'r1u05 pvc-1'"}, "r1u05 has volume pvc-1 attached"),
        ({"volumes": "echo 'no route' >&2; exit 1"}, "no route"),
        ({"attached": "echo 'no route' >&2; exit 1"}, "no route"),
    ],
    ids=["in use", "attached", "not known", "attachments not known"],
)
def test_no_server_goes_with_a_volume_in_use(
    world: RealWorld, server: TestServer, budgets: Budgets, use: dict[str, str], said: str
) -> None:
    claim(world)
    kubectl(server, **use)
    with pytest.raises(CommandFailed, match="draining r1u05") as caught:
        drain(world, budgets)
    assert said in caught.value.detail
    assert "volumes are in use after the drain" in caught.value.detail
    assert given_back(server) is (budgets is not Budgets.IGNORED)


def test_volumes_of_other_nodes_are_not_waited_for(world: RealWorld, server: TestServer) -> None:
    claim(world)
    kubectl(server, attached="printf '%s\\n' 'r1u051 pvc-1' 'r1u04 pvc-2'")
    begun = time.monotonic()
    drain(world, Budgets.RESPECTED, seconds=40)
    assert time.monotonic() - begun < 30
