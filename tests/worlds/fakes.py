"""Servers that are functions: each keeps what it is asked, and answers as the test says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rpool.model.action import Prepare
from rpool.model.claim import Ownership
from rpool.model.pool import Kubeadm
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Server, ServerName
from rpool.model.site import Mirrors, SiteConfig, Ssh
from rpool.reach.ssh import Completed

INSTALLED = (
    b'changed packages kubeadm\n{"containerd": "%s", "restricted": %s, "images": '
    b'"registry.k8s.io/kube-proxy:v1.36.3 registry.k8s.io/pause:3.10.2"}\n'
)
OK = Completed(0, b"", b"")


@dataclass
class FakeServer:
    """Answers what the role's scripts would print. A test overrides `answer`, by task."""

    name: ServerName
    containerd: bytes = b"2.1.9"
    restricted: bytes = b"false"
    answer: Callable[[str], Completed | None] = lambda task: None
    scripts: dict[str, str] = field(default_factory=dict)
    guards: list[str] = field(default_factory=list)

    def run(self, command: str, stdin: bytes, timeout_seconds: float) -> Completed:
        guard = stdin.decode()
        self.guards.append(guard)
        script = _assigned(guard, "COMMAND")
        task = task_of(script)
        self.scripts[task] = script
        answer = self.answer(task)
        if answer is None and task == "install":
            return Completed(0, INSTALLED % (self.containerd, self.restricted), b"")
        return answer or OK


@dataclass
class FakeServers:
    servers: dict[ServerName, FakeServer]

    def session(self, name: ServerName) -> FakeServer:
        return self.servers[name]


def task_of(script: str) -> str:
    """Which of the role's scripts this is, by a function that only it has."""
    marks = {
        "check": "check_size()",
        "install": "add_repository()",
        "configure": "turn_swap_off()",
        "start": "fetch_images()",
    }
    return next((task for task, mark in marks.items() if mark in script), "other")


def _assigned(script: str, variable: str) -> str:
    """The value that a script's beginning gives a variable, as a shell understands it."""
    assignments = script.partition("\n# shellcheck shell=sh\n# What all scripts share")[0]
    printing = f'{assignments}\nprintf %s "${variable}"'
    return subprocess.run(["sh"], input=printing, capture_output=True, text=True, check=True).stdout


def prepare(name: ServerName, **kubelet: object) -> Prepare:
    kubeadm = Kubeadm(json.dumps(kubelet) if kubelet else None)  # JSON is YAML
    return Prepare(name, Ownership("0badcafe", 3), "1.36.3", kubeadm, "flannel", 16, 64)


def site(**mirrors: str) -> SiteConfig:
    server = Server("r1u04", "10.0.1.4", 16, 64, "rack1", "ssh-ed25519 AAAA")
    return SiteConfig(Fleet({server.name: server}), Ssh(Secret("")), Mirrors(**mirrors))


def playbook(folder: Path, tasks: str) -> Path:
    path = folder / "playbook.yml"
    path.write_text(
        "- hosts: all\n  gather_facts: false\n  strategy: free\n  tasks:\n" + tasks, "utf-8"
    )
    return path
