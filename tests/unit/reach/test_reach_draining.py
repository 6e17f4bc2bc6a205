"""How a node is drained, and what it gets back when it stays, for real: through RealWorld and a
real sshd, with a kubectl that writes down what it is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from worlds.samples import OURS
from worlds.sshd import TestServer

from reach.conftest import claim, told
from rpool.errors import CommandFailed, NotDrained, TimedOut
from rpool.model import action as act
from rpool.model.action import Budgets
from rpool.reach.world import RealWorld

# Name, cordoned, our mark, the label's value. An operator has cordoned r1u05, r1u09 is no node of
# the cluster, and r1u06 is a control plane, from which no address is announced anyway.
NODES = ("r1u04", "r1u05", "r1u06", "r1u09")
SEEN = """\
r1u04   <none>  <none>  <none>
r1u05   true    <none>  <none>
r1u06   <none>  <none>  \n"""
LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
LET_GO = [
    "label node r1u04 r1u06 node-restriction.kubernetes.io/rpool-leaving=true",
    f"label node r1u04 r1u05 {LABEL}=rpool-leaving",
    "cordon r1u04 r1u05 r1u06",
]
STAYS = "uncordoned again: r1u06"
BLOCKED = "Cannot evict pod web-0 as it would violate the disruption budget."
EVICT = [f"drain {node} --timeout=7s" for node in NODES[:3]]
DELETE = [f"drain {node} --timeout=7s --disable-eviction" for node in NODES[:3]]
DELETE_AT_LAST = [f"drain {node} --timeout=60s --disable-eviction" for node in NODES[:3]]
GIVE_BACK = [
    f"label node r1u04 r1u05 {LABEL}-",
    "uncordon r1u04 r1u06",
    "label node r1u04 r1u06 node-restriction.kubernetes.io/rpool-leaving-",
]

DRAINS: dict[str, tuple[Budgets, str, bool, Sequence[str]]] = {
    # which drains fail, as a pattern of sh; whether the action does; what kubectl is told
    "respected": (Budgets.RESPECTED, "none", True, EVICT),
    "respected, blocked": (Budgets.RESPECTED, "*' drain r1u06 '*", False, [*EVICT, *GIVE_BACK]),
    "until timeout": (Budgets.UNTIL_TIMEOUT, "none", True, EVICT),
    "until timeout, blocked": (
        Budgets.UNTIL_TIMEOUT,
        "*' drain r1u06 '*--timeout=7s*",
        True,
        [*EVICT, *DELETE_AT_LAST],
    ),
    "until timeout, stuck": (
        Budgets.UNTIL_TIMEOUT,
        "*' drain r1u06 '*",
        False,
        [*EVICT, *DELETE_AT_LAST, *GIVE_BACK],
    ),
    "ignored": (Budgets.IGNORED, "none", True, DELETE),
    "ignored, stuck": (Budgets.IGNORED, "*' drain r1u06 '*", False, DELETE),
}


def drain(world: RealWorld, budgets: Budgets, timeout_seconds: float = 60) -> None:
    world.carry_out(act.Drain("r1u04", OURS, NODES, 7, budgets), timeout_seconds)


def kubectl_marker(server: TestServer, failing: str, how: str, seen: str = SEEN) -> None:
    server.marker(
        "kubectl", f"case $* in *' get nodes '*) printf '%s' '{seen}' ;; {failing}) {how} ;; esac"
    )


@pytest.mark.parametrize(("budgets", "failing", "good", "expected"), DRAINS.values(), ids=DRAINS)
def test_a_drain_minds_budgets_as_it_is_told_and_gives_back_what_it_cordoned(
    world: RealWorld,
    server: TestServer,
    budgets: Budgets,
    failing: str,
    good: bool,
    expected: Sequence[str],
) -> None:
    claim(world)
    kubectl_marker(server, failing, f"for i in 1 2 3; do echo '{BLOCKED}'; done; exit 1")
    if good:
        drain(world, budgets)
    else:
        with pytest.raises(NotDrained, match="draining r1u04, r1u05") as caught:
            drain(world, budgets)
        assert BLOCKED in caught.value.detail.splitlines()
    first, rest = told(server)[: len(LET_GO)], told(server)[len(LET_GO) :]
    assert first == LET_GO
    assert sorted(rest) == sorted(expected)
    if not good and budgets is not Budgets.IGNORED:
        assert rest[-3:] == GIVE_BACK


def test_what_kubectl_says_again_and_again_of_a_budget_is_shown_once(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    noise = f"for i in $(seq 50); do echo '{BLOCKED}'; done; echo 'error: timeout reached'; exit 1"
    kubectl_marker(server, "*' drain r1u06 '*", f"echo 'evicting pod web-0'; {noise}")
    with pytest.raises(NotDrained) as caught:
        drain(world, Budgets.RESPECTED)
    expected = f"evicting pod web-0\n{BLOCKED}\nerror: timeout reached"
    assert caught.value.detail == f"{expected}\nuncordoned again: r1u04 r1u06"


WEB, ALL = "0 3 2 2 shop web app=web,tier in (a,b),", "0 1 1 1 shop all "
LEFT_PODS = {
    # the pods there, the budgets of the cluster, and what is said
    "a budget": (
        ["shop web-0 StatefulSet <none>", "kube-system flannel DaemonSet <none>"],
        [WEB, "1 3 3 2 shop roomy app=web,", "0 2 2 2 other web app=web,", "0 0 0 0 shop none "],
        ["shop/web-0 is left on r1u06: budget shop/web allows none to go (2 healthy, 2 needed)"],
    ),
    "two budgets": (
        ["shop web-0 <none> <none>"],
        [WEB, ALL],
        [
            (
                "shop/web-0 is left on r1u06: budget shop/web allows none to go (2 healthy, 2 "
                "needed); budget shop/all allows none to go (1 healthy, 1 needed)"
            )
        ],
    ),
    "slow": (
        ["shop web-0 ReplicaSet 2026-11-30T20:00:00Z", "kube-system etcd-r1u06 Node <none>"],
        [],
        ["shop/web-0 is left on r1u06: it was told to end, and has not"],
    ),
    "nobody knows why": (
        ["shop web-0 ReplicaSet <none>"],
        [],
        ["shop/web-0 is left on r1u06", BLOCKED],
    ),
    "many": (
        [f"shop web-{n} ReplicaSet 2026-11-30T20:00:00Z" for n in range(30)],
        [],
        [
            *(f"shop/web-{n} is left on r1u06: it was told to end, and has not" for n in range(10)),
            "and 20 more",
        ],
    ),
}


@pytest.mark.parametrize(("pods", "budgets", "said"), LEFT_PODS.values(), ids=LEFT_PODS)
def test_a_drain_that_fails_says_which_pods_are_left_and_which_budgets_keep_them(
    world: RealWorld,
    server: TestServer,
    pods: Sequence[str],
    budgets: Sequence[str],
    said: Sequence[str],
) -> None:
    claim(world)
    for name, lines in (("pods", pods), ("budgets", budgets)):
        (server.root / name).write_text("".join(f"{line}\n" for line in lines))
    selected = "--selector=app=web,tier in (a,b)"
    server.marker(
        "kubectl",
        f"""case $* in
*' get nodes '*) printf 'r1u06 <none> <none> <none>\\n' ;;
*' drain '*) for i in 1 2 3; do echo '{BLOCKED}'; done; exit 1 ;;
*' get poddisruptionbudgets '*) cat {server.root}/budgets ;;
*' get pods '*'{selected} '* | *' get pods '*'--selector= '*) echo web-0 ;;
*' get pods '*) cat {server.root}/pods ;;
esac""",
    )
    with pytest.raises(NotDrained) as caught:
        drain(world, Budgets.RESPECTED)
    assert caught.value.detail.splitlines() == [*said, STAYS]


def test_a_drain_minds_no_budget_as_it_says_what_is_left_of_pods_that_it_has_deleted(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    server.marker(
        "kubectl",
        """case $* in
*' get nodes '*) printf 'r1u06 <none> <none> <none>\\n' ;;
*' drain '*) exit 1 ;;
*' get pods '*) echo 'shop web-0 ReplicaSet 2026-11-30T20:00:00Z' ;;
esac""",
    )
    with pytest.raises(NotDrained) as caught:
        drain(world, Budgets.UNTIL_TIMEOUT)
    assert caught.value.detail.startswith("shop/web-0 is left on r1u06: it was told to end")
    assert "poddisruptionbudgets" not in server.calls


def test_a_drain_that_is_ended_from_outside_gives_back_what_it_cordoned(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    kubectl_marker(server, "*' drain r1u06 '*", "sleep 30")
    with pytest.raises(TimedOut):
        drain(world, Budgets.RESPECTED, timeout_seconds=3)
    assert told(server)[-3:] == GIVE_BACK
    assert not list(server.path("/run/rpool").glob("secret.*"))


MARKED = {
    # what an earlier drain has left, and what is done to let the node stay
    "all of it": ("true  true  rpool-leaving", [0, 1, 2]),
    "cut off before the label": ("<none>  true  <none>", [1, 2]),
    "a control plane": ("true  true  ", [1, 2]),
    "cordoned by an operator": ("true  <none>  rpool-leaving", [0]),
    "all of it by others": ("true  <none>  ", []),
}


@pytest.mark.parametrize(("left", "done"), MARKED.values(), ids=MARKED)
def test_a_node_that_stays_gets_back_what_we_took_and_keeps_what_others_did(
    world: RealWorld, server: TestServer, left: str, done: list[int]
) -> None:
    claim(world)
    kubectl_marker(server, "none", "", seen=f"r1u05  {left}\n")
    world.carry_out(act.Uncordon("r1u04", OURS, "r1u05"), 10)
    undo = [
        f"label node r1u05 {LABEL}-",
        "uncordon r1u05",
        "label node r1u05 node-restriction.kubernetes.io/rpool-leaving-",
    ]
    assert told(server) == [undo[n] for n in done]


def test_a_drain_that_breaks_gives_back_what_one_that_was_killed_had_left(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    marks = "r1u04  true  true  rpool-leaving\n"
    kubectl_marker(server, "*' drain r1u04 '*", "exit 1", seen=marks)
    with pytest.raises(CommandFailed):
        drain(world, Budgets.RESPECTED)
    assert told(server)[-3:] == [
        f"label node r1u04 {LABEL}-",
        "uncordon r1u04",
        "label node r1u04 node-restriction.kubernetes.io/rpool-leaving-",
    ]


@pytest.mark.parametrize("failing", ["*' label '*-", "*' uncordon '*"], ids=["label", "cordon"])
def test_what_cannot_be_given_back_is_named_and_keeps_the_mark(
    world: RealWorld, server: TestServer, failing: str
) -> None:
    """By the mark the next change sees that there is something left to give back."""
    claim(world)
    marks = "r1u04  true  true  rpool-leaving\n"
    patterns = f"*' drain '*|{failing}"
    kubectl_marker(server, patterns, "echo 'etcd is busy'; exit 1", seen=marks)
    with pytest.raises(CommandFailed, match="draining r1u04") as caught:
        drain(world, Budgets.RESPECTED)
    assert "not all of these were restored, the next apply does it: r1u04" in caught.value.detail
    assert "label node r1u04 node-restriction.kubernetes.io/rpool-leaving-" not in told(server)
    with pytest.raises(CommandFailed):
        world.carry_out(act.Uncordon("r1u04", OURS, "r1u04"), 10)


def test_nodes_that_the_cluster_does_not_have_are_drained(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    drain(world, Budgets.RESPECTED)
    assert told(server) == []
