"""The two worlds of the contract, each with one server that works and one that is out of reach.

Why it exists: what is proven on modelled servers holds for real ones only as far as both do the
same. So a promise about claims, records and locks is stated once, and tested on both halves.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.samples import CLAIM, NODE, OURS, SECRETS, SPEC
from worlds.sshd import KUBEADM, TestServer

from rpool.errors import RpoolError
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Claim, Fence, UnknownFormat
from rpool.model.pool import ControlPlane, Endpoint, PoolUid
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Role, Server
from rpool.model.site import SiteConfig
from rpool.model.step import News
from rpool.model.trust import Domain, mark, read_mark
from rpool.model.world import World
from rpool.reach.world import RealWorld
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.world import SimulatedWorld

HERE = NODE.name
SILENT = "r1u05"
UNKNOWN = "r9u99"
"""It is in no fleet."""

KUBECTL = Path(__file__).with_name("kubectl.py")
WITHOUT_VIP = replace(SPEC, control_plane=ControlPlane(1, Endpoint(address="api.example:6443")))


class Half(ABC):
    """One world of the two. `node` is HERE's entry in the fleet."""

    world: World
    node: Server

    @abstractmethod
    def disk(self) -> object:
        """What is on the server, to compare with later."""

    def commands(self) -> str:
        """The calls of the server's own commands, except those that only look."""
        return ""

    def everything(self) -> object:
        return self.disk(), self.commands()

    @abstractmethod
    def dirty(self) -> None:
        """The server has a trace of Kubernetes from now on."""

    @abstractmethod
    def come(self, path: str) -> None:
        """Somebody puts a file there that runs as root."""

    @abstractmethod
    def prepare(self) -> None:
        """The server has kubeadm from now on, as preparation leaves it."""

    @abstractmethod
    def cut_off(self) -> None:
        """The server has no power from now on."""

    @abstractmethod
    def write_claim(self, text: Mapping[str, object]) -> None:
        """The server has this claim from now on, whoever wrote it."""

    def mark(self, domain: Domain) -> None:
        """The server has served in that domain of trust."""
        self.write_mark(mark(domain))

    @abstractmethod
    def write_mark(self, text: str) -> None:
        """The server's mark of the domain is this from now on, whoever wrote it."""

    @abstractmethod
    def serve(self) -> None:
        """The server is a control plane from now on, whose API answers."""

    def act(self, action: Action, timeout_seconds: float = 60) -> News:
        return self.world.carry_out(action, timeout_seconds)

    def claim(self, of: Claim = CLAIM) -> None:
        self.act(act.TakeClaim(HERE, of))

    def claim_there(self) -> Claim | None:
        return self.world.probe(HERE).claim

    def fence(self, session: int, uid: PoolUid = OURS.uid) -> Probed:
        return self.world.probe(HERE, Fence(uid, session))

    def latest_session(self, uid: PoolUid = OURS.uid) -> int:
        """The number that the lock tells an operation that takes it now."""
        with self.world.lock(HERE, uid) as lock:
            return lock.number

    def init(self) -> None:
        self.act(act.Init(HERE, OURS, self.node, WITHOUT_VIP, SECRETS))

    def reset(self) -> News:
        return self.act(act.Reset(HERE, OURS, None), 100)


class Modelled(Half):
    def __init__(self) -> None:
        self.node = NODE
        self.world = world = SimulatedWorld(_fleet(NODE))
        self._machines = world.machines
        self._machines[SILENT].powered = False

    @property
    def _machine(self) -> Machine:
        return self._machines[HERE]

    def disk(self) -> object:
        machines = deepcopy(self._machines)
        for machine in machines.values():
            machine.sessions.clear()  # they are in its memory
        return machines

    def cut_off(self) -> None:
        self._machine.powered = False

    def write_claim(self, text: Mapping[str, object]) -> None:
        self._machine.claim, self._machine.claim_unread = None, ""
        try:
            self._machine.claim = Claim.from_dict(dict(text))
        except UnknownFormat as why:
            self._machine.claim_unread = str(why)

    def write_mark(self, text: str) -> None:
        self._machine.served = read_mark(text)

    def dirty(self) -> None:
        self._machine.traces = ("/etc/kubernetes/kubelet.conf",)

    def come(self, path: str) -> None:
        self._machine.news += (f"new {path}",)

    def prepare(self) -> None:
        self._machine.prepared_for = SPEC.kubernetes_version

    def serve(self) -> None:
        self._machine.become(Cluster.new(SPEC.kubernetes_version), Role.CONTROL_PLANE)


class Sshd(Half):
    """Behind a real sshd. Many tests share it and its connection: see `renew`."""

    def __init__(self, server: TestServer) -> None:
        self._server = server
        self.node = server.node
        config = server.site()
        silent = _fleet(self.node).servers[SILENT]
        fleet = Fleet({**config.fleet.servers, SILENT: silent})
        self.world = RealWorld(SiteConfig(fleet, config.ssh, config.mirrors))

    def disk(self) -> object:
        return self._server.snapshot()

    def commands(self) -> str:
        return self._server.calls

    def cut_off(self) -> None:
        """For good: no later test has the server."""
        os.killpg(self._server.process.pid, signal.SIGKILL)

    def write_claim(self, text: Mapping[str, object]) -> None:
        self._write("/var/lib/rpool/claim", json.dumps(text, indent=1))

    def write_mark(self, text: str) -> None:
        self._write("/var/lib/rpool/trust", f"{text}\n")

    def dirty(self) -> None:
        self._write("/etc/kubernetes/kubelet.conf", "left")

    def come(self, path: str) -> None:
        self._write(path, "exec something")

    def prepare(self) -> None:
        self._server.marker("kubeadm", KUBEADM)

    def serve(self) -> None:
        for name in ("kubelet.conf", "admin.conf"):
            self._write(f"/etc/kubernetes/{name}", "ours")
        self._server.certify()
        self._write("/var/lib/rpool/joined", f"{Role.CONTROL_PLANE.value}\n")
        config_map = self._server.root / "config-map"
        self._server.marker("kubectl", f'exec {sys.executable} -IS {KUBECTL} {config_map} "$@"')

    def renew(self) -> None:
        """The server is as new."""
        _renew(self._server)

    def _write(self, path: str, text: str) -> None:
        file = self._server.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def refused(half: Half, action: Action, error: type[RpoolError], match: str = "claimed") -> None:
    """The action ends with this very error, and has changed nothing."""
    before = half.everything()
    with pytest.raises(error, match=match) as caught:
        half.act(action)
    assert caught.type is error
    assert not caught.value.retryable
    assert half.everything() == before


def _fleet(here: Server) -> Fleet:
    """SILENT has a port of this machine that is not listened on: that is refused at once."""
    silent = replace(here, name=SILENT, address="127.0.0.1", port=1)
    return Fleet({HERE: here, SILENT: silent})


def _renew(server: TestServer) -> None:
    for folder in ("var/lib", "var/log", "run", "etc/cni", "etc/cron.d"):
        for path in (server.root / folder).glob("*"):
            if path.name == "sshd":
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    shutil.rmtree(server.root / "etc/kubernetes", ignore_errors=True)
    for path in (server.root / "etc/systemd/system").glob("rpool-*"):
        path.unlink()
    for name in ("calls", "config-map", "csr"):
        (server.root / name).unlink(missing_ok=True)
    server.plain_markers()
    (server.root / "bin" / "kubeadm").unlink()
    server.marker("kubectl", "echo there is no API here >&2; exit 1")
