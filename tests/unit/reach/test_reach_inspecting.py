"""Servers that are to join prove that they reach each other before anything of Kubernetes runs, in
networks that are as bad as real ones.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from worlds.samples import SPEC

from reach.networked import Network, network
from rpool.decide.inspection import errors
from rpool.decide.trials import trials
from rpool.model.inspection import Inspected, Trial
from rpool.model.server import Role

HEAD, WORKER = Role.CONTROL_PLANE, Role.WORKER
JOINING = {"a": HEAD, "b": WORKER, "c": WORKER}
WANTED = replace(SPEC, metallb_pools={"default": ("10.9.0.200-10.9.0.210",)})
BREAK_SECONDS = 3.0
"""Where servers are cut off, an inspection takes all of this time."""


@pytest.fixture
def site() -> Iterator[Network]:
    with network(*JOINING) as made:
        yield made


def parts(seconds: float, members: dict[str, Role] | None = None) -> dict[str, Trial]:
    joining = {n: role for n, role in JOINING.items() if n not in (members or {})}
    planned = trials(WANTED, joining, members or {})
    return {name: replace(trial, seconds=seconds, word="w1") for name, trial in planned.items()}


def found(site: Network, seconds: float = BREAK_SECONDS, **members: Role) -> dict[str, list[str]]:
    """What is wrong in the network, without what else this machine may lack."""
    joining = {n: role for n, role in JOINING.items() if n not in members}
    inspected = site.inspect(parts(seconds, members))
    bare = {name: _network_alone(result) for name, result in inspected.items()}
    return errors(WANTED, joining, bare)


def _network_alone(inspected: Inspected) -> Inspected:
    blank = Inspected(
        inspected.interface, inspected.mac, inspected.mtu, systems=frozenset({"debian"})
    )
    return replace(
        blank,
        used=inspected.used,
        cut=inspected.cut,
        narrow=inspected.narrow,
        firewalls=inspected.firewalls,
    )


def shut(site: Network, name: str, what: str, verdict: str = "drop") -> None:
    site.on(
        name,
        "nft add table ip guard\n"
        "nft 'add chain ip guard in { type filter hook input priority 0; }'\n"
        f"nft 'add rule ip guard in {what} {verdict}'",
    )


def test_servers_that_reach_each_other_wait_for_nothing_and_leave_nothing(site: Network) -> None:
    begun = time.monotonic()
    assert found(site, 60) == {}
    assert time.monotonic() - begun < 10  # the machine may be slow
    assert " 0A " not in site.on("a", "cat /proc/net/tcp")
    assert ": " not in site.on("a", "cat /proc/net/udp")


def test_nobody_is_waited_for_who_has_been_there() -> None:
    """Of many connections at once none is lost."""
    roles = {name: HEAD if name < "d" else WORKER for name in "abcde"}
    with network(*roles) as site:
        planned = {
            name: replace(trial, joins=None, seconds=60)
            for name, trial in trials(WANTED, roles, {}).items()
        }
        for _ in range(4):
            begun = time.monotonic()
            assert not any(
                inspected.cut or inspected.narrow for inspected in site.inspect(planned).values()
            )
            assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("verdict", "how"),
    [
        ("drop", "no answer"),
        ("reject with tcp reset", "Connection refused"),
        ("reject with icmp type admin-prohibited", "No route to host"),
    ],
)
def test_a_firewall_is_found_however_it_refuses(site: Network, verdict: str, how: str) -> None:
    shut(site, "a", "tcp dport { 6443, 10250 }", verdict)
    assert found(site) == {
        "a": [
            f"b, c cannot reach it at tcp/6443 ({how}). Open that in each firewall on the way",
        ]
    }


def test_a_worker_is_not_asked_for_what_only_control_planes_need(site: Network) -> None:
    shut(site, "a", "tcp dport { 2379, 2380, 10250 }")
    shut(site, "b", "tcp dport { 6443, 2379 }")
    assert found(site, 60) == {}


def test_a_firewall_that_drops_all_is_named_with_every_port(site: Network) -> None:
    site.on(
        "b",
        "nft add table inet filter\n"
        "nft 'add chain inet filter input "
        "{ type filter hook input priority 0; policy drop; }'\n"
        "nft add rule inet filter input ct state established accept",
    )
    there = "There is a firewall on it (nft table inet filter): open that there to the cluster's"
    ports = "tcp/7946, udp/7946, udp/8472"
    assert sorted(found(site)["b"]) == [
        f"a cannot reach it at {ports}, tcp/10250 (no answer). {there} servers",
        f"c cannot reach it at {ports} (no answer). {there} servers",
    ]


def test_a_cni_s_port_is_tried_as_its_packets_go(site: Network) -> None:
    shut(site, "c", "udp dport 8472")
    assert found(site) == {
        "c": ["a, b cannot reach it at udp/8472 (no answer). Open that in each firewall on the way"]
    }


def test_a_way_too_narrow_is_told_with_what_comes_through(site: Network) -> None:
    site.on_switch("ip link set to-c mtu 1400")
    for name, sentences in found(site).items():
        other = "b" if name == "a" else "c"
        assert sentences[-1] == (
            "the largest packets that come to c and back have 1400 bytes, and its eth0 sends "
            "1500: give both, and all between them, the same MTU"
        ), other
    assert found(site).keys() == {"a", "b"}


def test_a_server_with_larger_packets_than_the_others_is_found(site: Network) -> None:
    site.on("a", "ip link set eth0 mtu 9000")
    site.on_switch("ip link set to-a mtu 9000")
    text = " ".join(" ".join(problems) for problems in found(site).values())
    assert "its eth0 sends 9000" in text
    assert "have 1500 bytes" in text


LISTENING = """import socket, threading
for port in {ports}:
    listener = socket.socket(); listener.bind(("{address}", port)); listener.listen()
    globals()[f"s{{port}}"] = listener
print(1, flush=True)
threading.Event().wait()
"""


NAMED = "import ctypes; ctypes.CDLL(None).prctl(15, b'rpool-trial', 0, 0, 0)\n"


def test_a_port_that_is_in_use_is_told_with_who_uses_it(site: Network) -> None:
    code = LISTENING.format(ports=[10259, 7946], address="127.0.0.1")
    with site.running("a", code), site.running("b", code):
        problems = found(site)
    assert problems.keys() == {"a", "b"}
    phrase = "is in use, by python3 (process "
    assert [text.partition(phrase)[0] for text in problems["a"]] == [
        "port tcp/7946 ",
        "port tcp/10259 ",
    ]
    assert [text.partition(phrase)[0] for text in problems["b"]] == ["port tcp/7946 "]
    assert problems["b"][0].endswith("): stop that, or have it listen on another port")


def test_trials_of_three_clusters_at_once_are_in_nobodys_way(site: Network) -> None:
    """Each cluster may take these servers, and has yet to claim any. Each has some of the others'
    ports at first, and none waits to the end.
    """

    def of(word: str) -> dict[str, list[str]]:
        planned = {name: replace(trial, word=word) for name, trial in parts(600).items()}
        bare = {
            name: _network_alone(inspected) for name, inspected in site.inspect(planned).items()
        }
        return errors(WANTED, JOINING, bare)

    with ThreadPoolExecutor(3) as together:
        assert list(together.map(of, ("w1", "w2", "w3"))) == [{}, {}, {}]


def test_a_port_that_a_trial_has_to_the_end_is_nobodys_fault(site: Network) -> None:
    """Each of two clusters makes the trial of the other wait."""
    code = LISTENING.format(ports=[6443, 7946], address="0.0.0.0")  # noqa: S104
    with site.running("a", f"{NAMED}{code}"):
        assert found(site) == {}


def test_a_port_that_was_given_to_another_s_trial_and_was_needed_no_more_is_not_told(
    site: Network,
) -> None:
    """Otherwise a server that has met all others would be tried once more, for nothing."""
    ours = replace(parts(3)["a"], word="w2", guests=())
    others = replace(parts(6)["a"], word="w1")
    with ThreadPoolExecutor(1) as pool:
        given = pool.submit(site.inspect, {"a": ours})
        while ":192B" not in site.on("a", "cat /proc/net/tcp"):
            assert not given.done()
        assert site.inspect({"a": others})["a"].used == {}
        assert given.result()["a"].used == {}


def test_a_port_of_one_who_only_says_to_be_a_trial_is_in_use(site: Network) -> None:
    code = LISTENING.format(ports=[6443], address="127.0.0.1")
    user = "import os, socket, threading; os.setuid(12345)\n"
    with site.running("a", f"{NAMED}{user}{code}"):
        assert found(site)["a"][0].startswith("port tcp/6443 is in use, by rpool-trial (process ")


def test_a_port_of_a_user_s_setuid_program_that_says_to_be_a_trial_is_in_use(
    site: Network,
) -> None:
    """It has the rights of root, and the user started it."""
    with TemporaryDirectory() as folder:
        program, line = Path(folder, "rpool-trial"), Path(folder, "line")
        shutil.copy("/usr/bin/tail", program)
        line.write_text("1\n")
        for path, mode in ((Path(folder), 0o755), (program, 0o4755), (line, 0o644)):
            path.chmod(mode)
        code = (
            "import os, socket; s = socket.create_server(('127.0.0.1', 6443)); os.setuid(12345); "
            "s.set_inheritable(True); "
            f"os.execv('{program}', ['rpool-trial w9', '-f', '{line}'])"
        )
        with site.running("a", code):
            problem = found(site)["a"][0]
    assert problem.startswith("port tcp/6443 is in use, by rpool-trial (process ")


def test_a_firewall_is_found_also_where_another_s_trial_had_the_ports_first(site: Network) -> None:
    """That trial has a higher word, and gives them up: ours has them nearly all of the time."""
    shut(site, "a", "tcp dport 6443")
    other = replace(parts(6)["a"], word="w2")
    problem = "b, c cannot reach it at tcp/6443 (no answer). Open that in each firewall on the way"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(site.inspect, {"a": other})
        while ":192B" not in site.on("a", "cat /proc/net/tcp"):
            assert not waiting.done()
        assert found(site, 4) == {"a": [problem]}


def test_a_port_of_the_kernel_s_own_is_in_use(site: Network) -> None:
    site.on("b", "ip link add other type vxlan id 7 dev eth0 dstport 8472\nip link set other up")
    assert found(site)["b"][0] == (
        "port udp/8472 is in use, by the kernel itself: stop that, or have it listen on another "
        "port"
    )


def test_a_connection_that_has_closed_takes_no_port(site: Network) -> None:
    code = (
        "import socket; s = socket.create_server(('10.9.0.1', 6443)); "
        "c = socket.create_connection(('10.9.0.1', 6443)); s.accept()[0].close(); c.close()"
    )
    site.on("a", f'python3 -c "{code}"')
    assert ":192B" in site.on("a", "cat /proc/net/tcp")  # TIME_WAIT
    assert found(site, 60) == {}


def test_a_member_s_own_services_are_reached_and_one_that_is_down_is_no_firewall(
    site: Network,
) -> None:
    code = LISTENING.format(ports=[6443], address="0.0.0.0")  # noqa: S104 no MetalLB, no kubelet
    with site.running("a", code):
        assert found(site, 60, a=HEAD) == {}
    assert found(site, 60, a=HEAD) == {}


def test_a_member_s_firewall_is_told_of_each_that_it_keeps_out(site: Network) -> None:
    shut(site, "a", "tcp dport 6443")
    problem = "it cannot reach a at tcp/6443 (no answer). Open that in each firewall on the way"
    assert found(site, a=HEAD) == {"b": [problem], "c": [problem]}


def test_a_member_reaches_those_that_join(site: Network) -> None:
    shut(site, "b", "ip saddr 10.9.0.1 tcp dport 10250")
    assert found(site, a=HEAD) == {
        "b": ["a cannot reach it at tcp/10250 (no answer). Open that in each firewall on the way"]
    }


def test_who_has_not_the_fleet_s_address_is_told(site: Network) -> None:
    site.on("b", "ip addr del 10.9.0.2/24 dev eth0; ip addr add 10.9.0.99/24 dev eth0")
    problem = "none of its interfaces has the address that the fleet gives: correct the address"
    assert problem in found(site)["b"]


def test_two_servers_with_one_mac_address_are_told(site: Network) -> None:
    for name in "bc":
        site.on(name, "ip link set eth0 address 02:00:00:00:00:07")
    beginning = (
        "it has the same MAC address as b (02:00:00:00:00:07), so neither is reached reliably"
    )
    assert any(text.startswith(beginning) for text in found(site)["c"])
