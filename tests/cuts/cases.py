"""The scripts that change something, each with a machine on which it has all of that to do.

`after` is what brings the machine to its end once the script was cut off: the same again, or the
reset that takes it all back. A new action has a case of its own, or a test fails.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from worlds.fakes import FakeServer, FakeServers, prepare
from worlds.fakes import site as preparing_site
from worlds.machine import Machine
from worlds.samples import CLAIM, OURS, RECORD, changing, site

from rpool.certificates import new_authority
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.trust import COMMON, mark
from rpool.reach import cni, documents
from rpool.reach.ansible import guarded_script, run_preparation
from rpool.reach.manifests import METALLB
from rpool.reach.render import TOKENS, render
from rpool.reach.script import compose
from rpool.reach.verdict import Exit

Setup = Callable[[Machine], None]

FILE = "/var/lib/rpool/claim"
MEMBER = replace(CLAIM, phase=Phase.MEMBER)
LEAVING = replace(CLAIM, phase=Phase.LEAVING)
BEFORE = Ownership("f0e1d2c3", 2, 7)
VIP = "10.0.1.200"
MANIFEST = """apiVersion: v1
kind: Namespace
net-conf.json: {"Network": "10.244.0.0/16"}
        - --kube-subnet-mgr
        env:
        - name: X
---
kind: ValidatingWebhookConfiguration
"""
DIGEST = hashlib.sha256(MANIFEST.encode()).hexdigest()


@dataclass(frozen=True)
class Case:
    """A script to cut, with what runs before and after it."""

    name: str
    script: str  # what is cut
    after: tuple[str, ...]  # what runs after the cut
    whole: tuple[str, ...]  # what an uninterrupted run is
    setup: Setup
    first: tuple[str, ...] = ()  # what ran before on the machine, whole
    action: type | None = None
    wrap: Callable[[str], str] = lambda script: script  # what `script` is sent in
    may_differ: tuple[str, ...] = ()  # paths below which a difference is no half work
    inside: str = ""  # a program to cut instead, together with the script that waits for it
    may_end: tuple[int, ...] = (0,)  # exit codes of the last script after a cut


def has_claim(claim: Claim) -> Setup:
    text = json.dumps(claim.as_dict(), indent=1)

    def setup(machine: Machine) -> None:
        machine.file(FILE, f"{text}\n")
        machine.file("/var/lib/rpool/trust", f"{mark(COMMON)}\n")

    return setup


def world(machine: Machine, **files: str) -> None:
    for path, text in files.items():
        machine.file(f"/world/{path}", text)


def fresh(machine: Machine) -> None:
    """A server with nothing on it. Its programs keep what they are told in files."""
    for folder in ("nodes", "objects", "units"):
        (machine.root / "world" / folder).mkdir(parents=True)
    certificate, key = new_authority()
    world(
        machine,
        **{
            "authority/ca.crt": certificate,
            "authority/ca.key": key,
            "addresses": "eth0 10.0.1.4/24\n",
            "etcd": "r1u06 2943212f5e2cf73\nr1u05 8e9e05c52164694d\n",
            "manifest": MANIFEST,
            "packages": "containerd 2.1.9\n",
            "fingerprint": "DE15B14486CD377B9E876E1A234654DA9A296436",
            "units/containerd.active": "",
            "units/containerd.enabled": "",
            "units/containerd-read": "somebody's\n",
        },
    )
    world(machine, **dict.fromkeys(("containers", "images", "held", "rules"), ""))
    machine.file("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n")
    machine.file("/etc/containerd/config.toml", "somebody's\n")
    machine.file("/etc/os-release", "ID=debian\n")
    machine.file("/etc/ssl/openssl.cnf", Path("/etc/ssl/openssl.cnf").read_text())
    for folder in ("/run/systemd/system", "/etc/systemd/system/timers.target.wants"):
        machine.path(folder).mkdir(parents=True)
    machine.file("/var/lib/mirror/v1.36/deb/Release.key", "the key\n")
    machine.path(FILE).unlink(missing_ok=True)


def with_nodes(machine: Machine) -> None:
    has_claim(MEMBER)(machine)
    for name in ("r1u04", "r1u05", "r1u09"):
        world(machine, **{f"nodes/{name}/pods": "web-0", f"nodes/{name}/cordoned": "true"})
    machine.path("/world/nodes/r1u05/cordoned").unlink()
    for name in ("r1u04", "r1u09"):
        world(
            machine,
            **{f"nodes/{name}/node-restriction.kubernetes.io_rpool-leaving": "true"},
        )
    world(machine, **{"nodes/r1u09/gone": "", "nodes/r1u09/old": "x"})


def with_objects(machine: Machine) -> None:
    with_nodes(machine)
    kinds = ("pool-old", "webhook", "kind-ipaddresspools.metallb.io", "secret-kubeadm-certs")
    world(machine, **{f"objects/{name}": "" for name in kinds})
    for name, ours in {"abcdef": TOKENS["OUR_DESCRIPTION"], "other": "another's"}.items():
        world(machine, **{f"objects/secret-bootstrap-token-{name}": ours})


def with_record(machine: Machine) -> None:
    with_nodes(machine)
    old = replace(RECORD, change="00c0ffee", generation=2)
    world(machine, record=documents.record(old).replace("THE ONE THAT WAS SEEN", "1"))


def with_volumes(machine: Machine) -> None:
    """What a kubelet, containerd and a CNI have made by then."""
    has_claim(CLAIM)(machine)
    world(
        machine,
        containers="c1\nc2\n",
        rules="*filter\n:KUBE-X - [0:0]\n-A INPUT -j KUBE-X\nCOMMIT\n",
        images="registry.k8s.io/pause:3.10.2\n",
        addresses=f"eth0 10.0.1.4/24\neth0 {VIP}/32\n",
    )
    machine.file("/var/lib/cni/results/x", "x")
    machine.file("/etc/cni/net.d/10-flannel.conflist", "{}")
    machine.file("/var/log/pods/x/y.log", "x")


def with_dns(machine: Machine) -> None:
    has_claim(MEMBER)(machine)
    world(machine, **{"objects/dns-one": "r1u04", "objects/dns-two": "r1u04"})


SETUPS: dict[type, Setup] = {
    act.TakeClaim: lambda machine: None,
    act.Init: has_claim(CLAIM),
    act.Join: has_claim(CLAIM),
    act.SetPhase: has_claim(CLAIM),
    act.AppendJournal: has_claim(MEMBER),
    act.AdmitJoiners: with_objects,
    act.RevokeJoiners: with_objects,
    act.ApplyMetalLB: with_objects,
    act.ConfigureMetalLB: with_objects,
    act.RemoveMetalLB: with_objects,
    act.WriteRecord: with_record,
    act.SpreadDns: with_dns,
}
GIVEN_UP = (0, Exit.UNCLAIMED)
"""Exit codes of a reset: its claim may have gone before it was cut off."""
ON_A_CONTROL_PLANE = (
    act.StepDown,
    act.Reset,
    act.RestartKubelet,
    act.RemoveEtcdMember,
    act.RecoverEtcd,
)


def script(action: Action) -> str:
    text = render(action, site(), 60)
    for manifest in (METALLB, *(cni.installed(name).manifest for name in ("flannel",))):
        text = text.replace(manifest.sha256, DIGEST)
    return text


INIT = script(next(a for a in changing() if isinstance(a, act.Init)))
RESET = script(next(a for a in changing() if isinstance(a, act.Reset)))
FORGET = """sed -i /r1u04/d "$(command -v kubeadm | sed 's|bin/kubeadm|world/etcd|')"\n"""
# What a plan does before a control plane joins again if its kubeadm had not ended (bring_up.py),
# and before one is reset (departures.py).
OUT_OF_ETCD = f"[ -e /var/lib/rpool/kubeadm-ended ] || {FORGET}"


def both(name: str, setup: Setup, action: Action) -> Iterator[Case]:
    """Cut off and done again; cut off and taken back."""
    text = script(action)
    again, back = text, RESET
    if isinstance(action, act.Join):
        again, back = OUT_OF_ETCD + text, FORGET + RESET
    repeated = Case(name, text, (again,), (text,), setup, action=type(action))
    undone = Case(f"{name}, taken back", text, (back,), (text, back), setup)
    undone = replace(undone, may_differ=("world/etcd", "world/objects/"))  # its cluster is gone
    for case in (repeated, undone):
        yield case
        yield replace(case, name=f"{case.name}, cut in kubeadm", inside="kubeadm")


def more() -> Iterator[Case]:
    """Actions that have a case already, from other beginnings."""
    over = script(act.TakeClaim("r1u04", CLAIM, over=BEFORE))
    theirs = replace(CLAIM, uid=BEFORE.uid, epoch=BEFORE.epoch)
    yield Case("TakeClaim over another", over, (over,), (over,), has_claim(theirs))
    leave = script(act.SetPhase("r1u04", OURS, Phase.LEAVING))
    yield Case("SetPhase, leaving", leave, (leave,), (leave,), has_claim(MEMBER))
    for budgets in (act.Budgets.RESPECTED, act.Budgets.UNTIL_TIMEOUT):
        drain = script(act.Drain("r1u04", OURS, ("r1u04", "r1u05"), 60, budgets))
        yield Case(f"Drain, {budgets.value}", drain, (drain,), (drain,), with_nodes)
    record = script(next(a for a in changing() if isinstance(a, act.WriteRecord)))
    yield Case("WriteRecord, the first", record, (record,), (record,), with_nodes)
    first = tuple(prepared(command) for command in preparation().values())
    yield Case(
        "Reset of what was prepared",
        RESET,
        (RESET,),
        (RESET,),
        with_volumes,
        (*first, INIT),
        may_end=GIVEN_UP,
    )


@cache
def preparation() -> Mapping[str, str]:
    """What Ansible sends to a server that is prepared, by the name of each task."""
    server = FakeServer("r1u04")
    mirrors = {"packages": "copy:///var/lib/mirror", "images": "registry.example.org"}
    run_preparation(
        FakeServers({server.name: server}),
        preparing_site(**mirrors),
        [replace(prepare(server.name), minimum_cores=0, minimum_memory_gib=0)],
        60,
        lambda name, error: None,
    )
    return server.scripts


def prepared(command: str) -> str:
    return guarded_script(replace(prepare("r1u04"), ownership=OURS), command, b"", 60)


def preparing() -> Iterator[Case]:
    """Each of the role's scripts that changes something; packages stay on a server."""
    scripts = preparation()
    everything = tuple(prepared(command) for command in scripts.values())
    for n, (name, text) in enumerate(scripts.items()):
        if name == "check":
            continue
        setup, first, rest = has_claim(CLAIM), everything[:n], everything[n:]
        case = Case(f"Prepare: {name}", text, everything, rest, setup, first, wrap=prepared)
        yield case
        back = replace(case, name=f"{case.name}, taken back", after=(RESET,), whole=(*rest, RESET))
        yield replace(back, may_differ=("world/packages",))


def looking() -> Iterator[Case]:
    """Scripts that need no claim, and leave a lock and a number."""
    holder = {"POOL_UID": OURS.uid, "HOLDER": "ann", "SILENCE_SECONDS": "5"}
    lock = compose(("library", "guard", "lock"), holder)
    fence = {**cni.TRACES, "POOL_UID": OURS.uid, "SESSION": "7", "PATIENCE_SECONDS": "5"}
    look = compose(("library", "guard", "traces", "probe", "fence"), fence)
    yield Case("the session's lock", lock, (lock,), (lock,), has_claim(MEMBER))
    yield Case("a fence", look, (look,), (look,), has_claim(MEMBER))


def cases() -> Iterator[Case]:
    for action in changing():
        kind = type(action)
        name = kind.__name__
        if isinstance(action, act.Join):
            name = "Join as a control plane" if action.control_plane else "Join as a worker"
        if isinstance(action, act.Init | act.Join):
            yield from both(name, SETUPS[kind], action)
            continue
        text = script(action)
        setup = SETUPS.get(kind, with_nodes)
        first: tuple[str, ...] = ()
        if kind in ON_A_CONTROL_PLANE:
            setup, first = has_claim(CLAIM), (INIT,)
        case = Case(name, text, (text,), (text,), setup, first, kind)
        yield replace(case, may_end=GIVEN_UP) if isinstance(action, act.Reset) else case
    yield from more()
    yield from preparing()
    yield from looking()
