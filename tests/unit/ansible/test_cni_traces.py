"""A server that has anything of a CNI is dirty, and clean after a reset that does not know which
CNI its cluster had; what others have there stays.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from worlds.fakes import site
from worlds.machine import Machine

from rpool.model import action as act
from rpool.model.claim import Ownership
from rpool.reach import cni
from rpool.reach.cni import Cni
from rpool.reach.render import render
from rpool.reach.script import compose

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

ALL = pytest.mark.parametrize("known", cni.KNOWN.values(), ids=cni.KNOWN)
PROBE = compose(("library", "traces", "probe"), cni.TRACES)
RESET = render(act.Reset("r1u04", Ownership("0badcafe", 3), None), site(), 60)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.make(tmp_path)
    machine.program("dpkg", "exit 1")  # no package has any file
    return machine


def around(machine: Machine, made: str) -> tuple[list[str], list[str], str]:
    """The traces before and after a reset of a machine on which `made` (sh) was run, and what the
    machine prints at the end.
    """
    look = f"sh -s <<'END'\n{PROBE}END\necho '====='\n"
    done = machine.run(
        f"{made}\n{look}sh -s >/dev/null <<'END'\n{RESET}END\necho $?; echo '====='\n{look}"
        "ip -o link show; ls /opt/cni/bin"
    )
    before, code, after, end = done.stdout.split("=====\n")
    assert code == "0\n", done.stderr
    return json.loads(before)["traces"], json.loads(after)["traces"], end


def named(pattern: str) -> str:
    """A name of an interface that the pattern matches."""
    return pattern.replace(".*", "").replace("[.]", ".")


@ALL
def test_its_interfaces_are_removed_and_those_of_others_stay(machine: Machine, known: Cni) -> None:
    interfaces = [named(pattern) for pattern in known.interfaces]
    made = "".join(f"ip link add {interface} type veth\n" for interface in ("wg0", *interfaces))
    before, after, end = around(machine, made)
    assert before == sorted(f"interface {interface}" for interface in interfaces)
    assert after == []
    assert ": wg0@" in end
    assert not any(f": {interface}@" in end for interface in interfaces)


@ALL
def test_its_plugins_are_removed_and_no_others(machine: Machine, known: Cni) -> None:
    plugins = "".join(f"touch /opt/cni/bin/{plugin}\n" for plugin in ("bridge", *known.plugins))
    before, after, end = around(machine, f"mkdir -p /opt/cni/bin\n{plugins}")
    assert before == [f"/opt/cni/bin/{plugin}" for plugin in known.plugins]
    assert after == []
    assert end.splitlines()[-1] == "bridge"


def test_a_plugin_of_a_package_is_no_trace(machine: Machine) -> None:
    machine.program("dpkg", "exit 0")
    plugins = "".join(
        f"touch /opt/cni/bin/{plugin}\n" for plugin in cni.TRACES["CNI_PLUGINS"].split()
    )
    before, after, _ = around(machine, f"mkdir -p /opt/cni/bin\n{plugins}")
    assert before == after == []


@ALL
def test_its_chains_are_removed_with_the_jumps_to_them_and_no_others(
    machine: Machine, known: Cni
) -> None:
    chains = [f"{prefix}-X" for prefix in ("KUBE", "CNI", *known.chains)]
    rules = ["*filter", ":FORWARD ACCEPT [0:0]", ":MINE - [0:0]"]
    rules += [f":{chain} - [0:0]" for chain in chains]
    rules += ["-A FORWARD -j MINE", *(f"-A FORWARD -j {chain}" for chain in chains), "COMMIT", ""]
    machine.file("/etc/rules", "\n".join(rules))
    machine.program("iptables-save", "cat /etc/rules")
    machine.program("iptables-restore", 'cat "$2" >/etc/restored')
    machine.run(RESET)
    assert machine.path("/etc/restored").read_text().splitlines() == [
        "*filter",
        *(f":{chain} - [0:0]" for chain in chains),
        *(f"-D FORWARD -j {chain}" for chain in chains),
        *(f"-X {chain}" for chain in chains),
        "COMMIT",
    ]


@ALL
def test_its_chains_are_traces_and_those_of_others_are_not(machine: Machine, known: Cni) -> None:
    chains = [f"{prefix}-X" for prefix in ("KUBE", "CNI", *known.chains)]
    listed = "table ip nat {" + "".join(f"\nchain {chain} {{" for chain in (*chains, "MINE"))
    machine.program("nft", f"echo '{listed}'")
    probed = machine.run(PROBE)
    assert json.loads(probed.stdout)["traces"] == sorted(
        f"chain {chain} in ip nat" for chain in chains
    )
