"""How a server leaves a cluster that lives on, once it is drained, for real: through RealWorld and
a real sshd.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest
from worlds.samples import OURS
from worlds.sshd import TestServer

from reach.conftest import claim, told
from rpool.errors import CommandFailed, TimedOut
from rpool.model import action as act
from rpool.model.seen import EtcdMember
from rpool.model.site import Mirrors
from rpool.reach import render
from rpool.reach.manifests import METALLB
from rpool.reach.world import RealWorld

# -- the control plane -------------------------------------------------------------------------

PARTS = ("kube-vip", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
VIP = "10.0.1.200"


def control_plane(server: TestServer, *, vip: bool = True) -> None:
    """Manifests as init leaves them, and commands that write down which are left at each call."""
    manifests = server.path("/etc/kubernetes/manifests")
    manifests.mkdir(parents=True)
    for part in (*PARTS[0 if vip else 1 :], "etcd"):
        (manifests / f"{part}.yaml").write_text("{}")
    admin = server.path("/etc/kubernetes/admin.conf")
    admin.write_text(f"clusters:\n- cluster:\n    server: https://{VIP}:6443\n")
    if vip:
        server.path("/etc/kubernetes/kube-vip.conf").symlink_to("admin.conf")
    listed = f"ls /etc/kubernetes/manifests | tr '\\n' ' ' >>{server.root}/seen"
    server.marker("crictl", f'{listed}; echo "< $*" >>{server.root}/seen')
    dropped = f"{listed}; echo '< {VIP} is dropped' >>{server.root}/seen"
    address = f"echo '2: eth0 inet {VIP}/32 scope global eth0'"
    server.marker("ip", f"case $* in *' del '*) {dropped} ;; *) {address} ;; esac")
    server.marker("systemctl", "exit 0")
    server.marker("curl", "exit 0")


def step_down(world: RealWorld, timeout_seconds: float = 60) -> None:
    world.carry_out(act.StepDown("r1u04", OURS), timeout_seconds)


def seen(server: TestServer) -> list[tuple[set[str], str]]:
    """The manifests that were left at each call of a command, and what that call was."""
    lines = (server.root / "seen").read_text().splitlines()
    halves = [line.partition("< ") for line in lines]
    return [
        ({name.removesuffix(".yaml") for name in manifests.split()}, what)
        for manifests, _, what in halves
    ]


def test_a_kubelet_that_reaches_no_api_is_ended_first(world: RealWorld, server: TestServer) -> None:
    """It would end no pod, however long the wait."""
    claim(world)
    control_plane(server)
    server.marker("curl", "exit 7")
    step_down(world)
    calls = server.calls.splitlines()
    stopped = calls.index("systemctl stop kubelet.service")
    assert stopped < next(n for n, call in enumerate(calls) if call.startswith("crictl"))


def test_a_control_plane_ends_part_by_part_and_gives_the_address_away_first(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    control_plane(server)
    step_down(world)
    manager, scheduler = PARTS[2:]
    expected = [
        ({"etcd", "kube-apiserver", manager, scheduler}, "kube-vip-r1u04"),
        ({"etcd", "kube-apiserver", manager, scheduler}, f"{VIP} is dropped"),
        ({"etcd", manager, scheduler}, "kube-apiserver-r1u04"),
        ({"etcd"}, "kube-controller-manager-r1u04"),
        ({"etcd"}, "kube-scheduler-r1u04"),
    ]
    calls = seen(server)
    assert [manifests for manifests, _ in calls] == [manifests for manifests, _ in expected]
    assert all(wanted in what for (_, wanted), (_, what) in zip(expected, calls, strict=True))
    step_down(world)
    assert {path.name for path in server.path("/etc/kubernetes/manifests").iterdir()} == {
        "etcd.yaml"
    }


def test_without_kube_vip_the_endpoint_is_the_site_s_and_no_address_is_dropped(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    control_plane(server, vip=False)
    step_down(world)
    assert "dropped" not in (server.root / "seen").read_text()


@pytest.mark.parametrize("answer", ["echo sandbox", "exit 1"], ids=["it runs", "nobody knows"])
def test_the_api_server_is_not_ended_while_kube_vip_may_run(
    world: RealWorld, server: TestServer, answer: str
) -> None:
    claim(world)
    control_plane(server)
    server.marker("crictl", answer)
    with pytest.raises(TimedOut, match="stopping the control plane on r1u04") as caught:
        step_down(world, timeout_seconds=7)
    assert caught.value.detail.startswith("kube-vip still runs")
    assert server.path("/etc/kubernetes/manifests/kube-apiserver.yaml").exists()


def test_what_a_dead_kubelet_does_not_stop_is_stopped_without_it(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    control_plane(server)
    server.marker("systemctl", "exit 3")
    stopped = server.root / "stopped"
    stopped.write_text("")
    listed = (
        f'pod=$(echo "$*" | sed "s/.*pod.name=//; s/ .*//"); grep -q "$pod" {stopped} || echo $pod'
    )
    server.marker("crictl", f'case $* in *" stopp "*) echo "$*" >>{stopped} ;; *) {listed} ;; esac')
    step_down(world)
    ended = [line.split()[-1] for line in stopped.read_text().splitlines()]
    assert ended == [f"{part}-r1u04" for part in PARTS]


def test_where_no_container_runtime_runs_nobody_waits_for_it_to_end_anything(
    world: RealWorld, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "RUNTIME_SECONDS", 1)
    claim(world)
    control_plane(server)
    server.marker("systemctl", "exit 3")
    server.marker("crictl", "exit 1")
    with pytest.raises(CommandFailed) as caught:
        step_down(world)
    assert "containerd does not run here, so nobody can end kube-vip" in caught.value.detail


# -- etcd --------------------------------------------------------------------------------------

ETCDCTL = "crictl --timeout 30s exec c1 etcdctl --command-timeout="
REMOVAL = "member remove 8e9e05c52164694d"


def etcd_marker(server: TestServer, members: str, health: str = "") -> None:
    (server.root / "members").write_text(members)
    (server.root / "health").write_text(health)
    answers = {
        "' ps '": "echo c1",
        "'member list'": f"cat {server.root}/members",
        "'endpoint health'": f"cat {server.root}/health; echo 'unhealthy cluster' >&2; exit 1",
    }
    cases = " ".join(f"*{pattern}*) {answer} ;;" for pattern, answer in answers.items())
    server.marker("crictl", f"case $* in {cases} esac")


def line(member_id: str, name: str, *, learner: bool = False) -> str:
    votes = "true" if learner else "false"
    return f"{member_id}, started, {name}, https://{name}:2380, https://{name}:2379, {votes}\n"


def healthy(*names: str) -> str:
    took = "successfully committed proposal: took = 2.1ms"
    return "".join(f"https://{name}:2379 is healthy: {took}\n" for name in names)


REMOVALS: dict[str, tuple[str, bool, bool]] = {
    # the members; whether the action succeeds; whether one is removed
    "it is there": (line("8e9e05c52164694d", "r1u05"), True, True),
    "it is out": (line("1", "r1u04"), True, False),
    "it has come back": (line("bdae9bbc11dd390d", "r1u05"), False, False),
    "the id is another's": (line("8e9e05c52164694d", "r1u06"), False, False),
    "there are two of the name": (
        line("8e9e05c52164694d", "r1u05") + line("2", "r1u05"),
        False,
        False,
    ),
}


@pytest.mark.parametrize(("others", "good", "removed"), REMOVALS.values(), ids=REMOVALS)
def test_exactly_the_member_that_was_looked_at_leaves_etcd(
    world: RealWorld, server: TestServer, others: str, good: bool, removed: bool
) -> None:
    claim(world)
    etcd_marker(server, line("2943212f5e2cf73", "r1u07") + others, healthy("r1u07"))
    action = act.RemoveEtcdMember("r1u04", OURS, "r1u05", "8e9e05c52164694d")
    if good:
        world.carry_out(action, 60)
    else:
        with pytest.raises(CommandFailed, match="removing r1u05 from etcd failed"):
            world.carry_out(action, 60)
    assert server.calls.count("member remove") == server.calls.count(REMOVAL) == int(removed)


SECOND, THIRD = line("2943212f5e2cf73", "r1u07"), line("29b8205d89d24469", "r1u08")
NEVER_STARTED = "29b8205d89d24469, unstarted, , https://10.0.1.8:2380, , false\n"

REST: dict[str, tuple[str, list[str], str]] = {
    # the other members, which of them are healthy, and why r1u05 stays
    "both are well": (SECOND + THIRD, ["r1u07", "r1u08"], ""),
    "one has died since": (SECOND + THIRD, ["r1u07"], "1 of 2 others are healthy"),
    "one never started": (SECOND + NEVER_STARTED, ["r1u07"], "1 of 2 others are healthy"),
    "one learns": (SECOND + line("3", "r1u08", learner=True), ["r1u07"], ""),
    "none votes": (line("3", "r1u08", learner=True), ["r1u08"], "0 of 0 others are healthy"),
}


@pytest.mark.parametrize(("others", "well", "why"), REST.values(), ids=REST)
def test_nobody_leaves_etcd_without_whom_it_would_have_no_quorum(
    world: RealWorld, server: TestServer, others: str, well: list[str], why: str
) -> None:
    claim(world)
    etcd_marker(server, line("8e9e05c52164694d", "r1u05") + others, healthy(*well))
    action = act.RemoveEtcdMember("r1u04", OURS, "r1u05", "8e9e05c52164694d")
    if why:
        with pytest.raises(CommandFailed) as caught:
            world.carry_out(action, 60)
        assert why in caught.value.detail
    else:
        world.carry_out(action, 60)
    assert server.calls.count(REMOVAL) == int(not why)
    asked = [call for call in server.calls.splitlines() if "endpoint health" in call]
    assert all("r1u05:2379" not in call for call in asked)  # it may be dead, and slow


def test_a_learner_goes_whatever_the_rest_is(world: RealWorld, server: TestServer) -> None:
    claim(world)
    etcd_marker(server, line("8e9e05c52164694d", "r1u05", learner=True) + SECOND)
    world.carry_out(act.RemoveEtcdMember("r1u04", OURS, "r1u05", "8e9e05c52164694d"), 60)
    assert server.calls.count(REMOVAL) == 1


def test_an_id_that_looks_like_a_number_is_none(world: RealWorld, server: TestServer) -> None:
    claim(world)
    etcd_marker(server, line("120e3", "r1u06"))
    world.carry_out(act.RemoveEtcdMember("r1u04", OURS, "r1u05", "12e4"), 60)
    assert "member remove" not in server.calls


def test_members_are_seen_with_their_health_also_when_one_is_dead(
    world: RealWorld, server: TestServer
) -> None:
    addresses = {"r1u04": "https://10.0.1.4:2379", "r1u05": "https://10.0.1.5:2379"}
    members = [
        {"ID": n + 10, "name": name, "clientURLs": [addresses[name]]}
        for n, name in enumerate(addresses)
    ]
    health = [{"endpoint": url, "health": name == "r1u04"} for name, url in addresses.items()]
    etcd_marker(server, json.dumps({"members": members}) + "\n", json.dumps(health) + "\n")
    assert world.etcd_members("r1u04") == (
        EtcdMember("a", "r1u04", votes=True, healthy=True),
        EtcdMember("b", "r1u05", votes=True, healthy=False),
    )
    assert "--label io.kubernetes.pod.name=etcd-r1u04 " in server.calls
    asked = [call for call in server.calls.splitlines() if call.startswith(ETCDCTL)]
    assert all("--endpoints=https://127.0.0.1:2379 " in call for call in asked)
    assert len(asked) == 2


def test_a_server_without_etcd_tells_of_none(world: RealWorld, server: TestServer) -> None:
    with pytest.raises(CommandFailed, match="looking at etcd") as caught:
        world.etcd_members("r1u04")
    assert caught.value.detail == "etcd does not run here"
    assert " exec " not in server.calls


# -- what is left in the cluster ---------------------------------------------------------------


def test_the_node_of_a_server_that_has_left_is_deleted(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    world.carry_out(act.DeleteNode("r1u04", OURS, "r1u05"), 60)
    assert told(server) == ["delete node --ignore-not-found r1u05"]


def remove_metallb(server: TestServer, digest: str) -> None:
    manifest = server.root / METALLB.mirrored
    manifest.parent.mkdir(parents=True)
    manifest.write_text("kind: List\n")
    server.marker("sha256sum", f"echo '{digest}  file'")
    site = replace(server.site(), mirrors=Mirrors(manifests=f"file://{server.root}"))
    with closing(RealWorld(site)) as mirrored:
        mirrored.carry_out(act.RemoveMetalLB("r1u04", OURS), 60)


def test_metallb_goes_with_its_webhook_first_and_without_the_kinds_that_are_gone(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    kind = "customresourcedefinition.apiextensions.k8s.io/ipaddresspools.metallb.io"
    server.marker("kubectl", f"case $* in *' get '*) echo {kind} ;; esac")
    remove_metallb(server, METALLB.sha256)
    webhook, _, pools, everything = told(server)[1:]
    assert webhook.endswith("validatingwebhookconfiguration metallb-webhook-configuration")
    assert pools.startswith("-n metallb-system delete ipaddresspools.metallb.io ")
    assert pools.endswith("-l app.kubernetes.io/managed-by=rpool")
    assert everything.startswith("delete --ignore-not-found --timeout=20s -f /run/rpool/secret.")


def test_what_may_not_be_metallb_s_manifest_deletes_nothing(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    with pytest.raises(CommandFailed, match="removing MetalLB failed"):
        remove_metallb(server, "beef")
    assert "kubectl" not in server.calls


def test_a_reset_that_is_told_no_address_drops_the_one_that_kube_vip_has(
    server: TestServer, world: RealWorld
) -> None:
    """What a killed create has left is given back without its spec."""
    claim(world)
    control_plane(server)
    with pytest.raises(CommandFailed, match="not clean"):  # this `ip` shows it for ever
        world.carry_out(act.Reset("r1u04", OURS, None), 100)
    assert f"ip addr del {VIP}/32 dev eth0" in server.calls
