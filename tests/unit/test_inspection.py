"""Findings about servers from their inspections, before any of them is claimed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from worlds.stage import SPEC

from rpool.decide.inspection import errors, warnings
from rpool.decide.trials import OF_A_CONTROL_PLANE, OF_ANY_NODE, WORKERS, trials
from rpool.model.inspection import Folder, Inspected, Port, Trial
from rpool.model.pool import Kubeadm, Networking, PoolSpec
from rpool.model.server import Role, Roles

HEAD, WORKER = Role.CONTROL_PLANE, Role.WORKER
FINE = Inspected("eth0", "02:00:00:00:00:01", 1500, systems=frozenset({"debian"}))
PLAIN = replace(SPEC, metallb_pools={})


def kubelet(text: str, **more: Any) -> PoolSpec:
    return replace(SPEC, kubeadm=Kubeadm(kubelet=text), **more)


V1 = {"cgroups": "tmpfs"}
LOOP = {"resolvers": ("127.0.0.1",)}
SWAPS = {"swap_mib": 9, "available_mib": 8}
ROOT = Folder("/var/lib/etcd", True, 5000, None, "/")
NEW = replace(SPEC, kubernetes_version="1.37.1")
TABLE: dict[str, tuple[PoolSpec, dict[str, Any], bool]] = {
    "control groups 1": (SPEC, V1, True),
    "control groups 1 of old": (replace(SPEC, kubernetes_version="1.34.2"), V1, False),
    "control groups 1 that the user bears with": (kubelet("failCgroupV1: false"), V1, False),
    "swap": (SPEC, SWAPS, True),
    "swap that fits": (SPEC, {"swap_mib": 8, "available_mib": 8}, False),
    "swap that stays": (kubelet("failSwapOn: false"), SWAPS, False),
    "containerd 1 of old": (SPEC, {"containerd": "1.7.24"}, False),
    "containerd 1": (NEW, {"containerd": "v1.7.24"}, True),
    "containerd 1 to come": (NEW, {"containerd_to_come": "1.7.24~ds1"}, True),
    "containerd 2 there, 1 in apt": (
        NEW,
        {"containerd": "2.0.0", "containerd_to_come": "1.7.24"},
        False,
    ),
    "containerd 10": (NEW, {"containerd": "10.1"}, False),
    "no containerd to be told of": (NEW, {"containerd_to_come": "(none)"}, False),
    "inodes that nobody counts": (SPEC, {"folders": (ROOT,)}, False),
    "folders on one disk": (
        SPEC,
        {"folders": (ROOT, replace(ROOT, path="/var/lib/containerd", free_mib=5000))},
        True,
    ),
    "a folder that nobody knows": (SPEC, {"folders": (replace(ROOT, path="/x"),)}, False),
    "no address": (SPEC, {"interface": ""}, True),
    "a port": (SPEC, {"used": {Port(6443): "nginx (process 7)"}}, True),
    "a module": (SPEC, {"missing_modules": ("overlay",)}, True),
}


@pytest.mark.parametrize(("spec", "shows", "is_wrong"), TABLE.values(), ids=TABLE)
def test_a_server_is_wrong_or_not(spec: PoolSpec, shows: dict[str, Any], is_wrong: bool) -> None:
    problems = errors(spec, {"a": HEAD}, {"a": replace(FINE, **shows)})
    assert [*problems] == (["a"] if is_wrong else [])


WARNED: dict[str, tuple[PoolSpec, dict[str, Any], bool]] = {
    "a loop": (SPEC, LOOP, True),
    "a loop that the user has seen to": (kubelet("resolvConf: /etc/r"), LOOP, False),
    "systemd's resolver": (SPEC, {"resolvers": ("127.0.0.53", "10.0.0.1", "x")}, False),
    "a slow disk": (SPEC, {"write_ms": 50.1}, True),
    "a disk": (SPEC, {"write_ms": 49.0}, False),
    "a clock that is not set": (SPEC, {"synchronized": False}, True),
    "a clock of which nothing is known": (SPEC, {"synchronized": None}, False),
}


@pytest.mark.parametrize(("spec", "shows", "is_warned"), WARNED.values(), ids=WARNED)
def test_a_server_is_warned_of_or_not(
    spec: PoolSpec, shows: dict[str, Any], is_warned: bool
) -> None:
    assert bool(warnings(spec, {"a": HEAD}, {"a": replace(FINE, **shows)})) == is_warned
    assert errors(spec, {"a": HEAD}, {"a": replace(FINE, **shows)}) == {}


def test_a_member_is_not_told_of_itself() -> None:
    bad = replace(FINE, cgroups="tmpfs", write_ms=90.0)
    inspected = {"a": bad, "b": replace(FINE, mac="02:00:00:00:00:02")}
    assert errors(SPEC, {"b": WORKER}, inspected) == {}
    assert warnings(SPEC, {"b": WORKER}, inspected) == []


def test_a_peer_that_was_not_seen_has_no_firewall() -> None:
    inspected = replace(FINE, cut={("b", Port(10250)): "no answer"})
    assert errors(SPEC, {"a": HEAD, "b": WORKER}, {"a": inspected}) == {}


# -- which server tries which --------------------------------------------------------------------


def tried(planned: dict[str, Trial]) -> set[str]:
    return {
        f"{name}>{visit.peer}:{visit.port}" for name, t in planned.items() for visit in t.visits
    }


def test_each_role_is_tried_at_its_own_ports() -> None:
    roles = {"a": HEAD, "b": HEAD, "c": WORKER}
    none = replace(PLAIN, networking=Networking(cni="none"))
    assert tried(trials(none, roles, {})) == {
        *(f"{way}:tcp/{port}" for way in ("a>b", "b>a") for port in (6443, 2379, 2380, 10250)),
        *("a>c:tcp/10250", "b>c:tcp/10250", "c>a:tcp/6443", "c>b:tcp/6443"),
    }
    assert "c>a:udp/8472" in tried(trials(PLAIN, roles, {}))
    assert {"a>c:tcp/7946", "a>c:udp/7946"} <= tried(trials(SPEC, roles, {}))


def test_nothing_is_listened_on_but_what_a_node_of_that_role_uses() -> None:
    planned = trials(
        replace(PLAIN, networking=Networking(cni="none")), {"a": HEAD, "b": WORKER}, {}
    )
    assert planned["a"].listens == (*OF_A_CONTROL_PLANE, *OF_ANY_NODE)
    assert planned["b"].listens == OF_ANY_NODE


def test_guests_are_those_that_visit() -> None:
    planned = trials(SPEC, {"a": HEAD, "b": WORKER, "c": WORKER}, {})
    for name, trial in planned.items():
        assert set(trial.guests) == {
            (other, visit.port)
            for other, theirs in planned.items()
            for visit in theirs.visits
            if visit.peer == name
        }
        assert {port for _, port in trial.guests} <= set(trial.listens)


def test_a_member_listens_on_nothing_and_is_sent_no_datagram() -> None:
    planned = trials(SPEC, {"b": WORKER}, {"a": HEAD, "c": WORKER})
    assert planned["a"].listens == planned["c"].listens == ()
    assert planned["a"].guests == planned["c"].guests == ()
    served = [visit for visit in planned["b"].visits if visit.served]
    assert {visit.peer for visit in served} == {"a", "c"}
    assert {visit.port.protocol for visit in served} == {"tcp"}
    assert not any(visit.peer == "c" for visit in planned["a"].visits)  # members have met


@pytest.mark.parametrize("size", [10, 400])
def test_what_it_costs_grows_with_those_that_join_alone(size: int) -> None:
    members: Roles = {f"m{n:03}": HEAD if n < 3 else WORKER for n in range(size)}
    planned = trials(SPEC, {"new": WORKER}, members)
    assert len(planned) == 1 + 3 + WORKERS
    everybody = {f"n{n:03}": WORKER for n in range(size)} | {"a": HEAD}
    most = max(
        len({visit.peer for visit in t.visits}) for t in trials(SPEC, everybody, {}).values()
    )
    assert most == len(everybody) - 1  # the control plane's
    planned = trials(SPEC, everybody, {})
    assert {len({v.peer for v in t.visits}) for n, t in planned.items() if n != "a"} == {
        1 + WORKERS
    }
