"""Prepares operating systems with Ansible: a child process that works through our SSH sessions.

Ansible is a separate program under its own licence, so it runs as a process: it gets a playbook,
an inventory with public facts alone, and a socket (see `rpool.reach.ansible_broker`). Each command
that it sends runs under the guard of its server's action, so Ansible cannot touch a server that
has come to belong to another cluster. Results come back as lines of JSON from our callback plugin,
and a server is reported as soon as the play has finished on it.
"""

from __future__ import annotations

import base64
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from rpool.errors import (
    Bug,
    CommandFailed,
    Refused,
    RpoolError,
    TimedOut,
    Unreachable,
    printable,
)
from rpool.model.action import Prepare
from rpool.model.cni import CNIS
from rpool.model.pool import CGROUP_DRIVERS, KUBERNETES_VERSION
from rpool.model.server import SERVER_NAME, ServerName
from rpool.model.site import Mirrors, SiteConfig
from rpool.reach import cni, render
from rpool.reach.ansible_broker import Broker, Run
from rpool.reach.ansible_play import Event, Play, ansible_folder
from rpool.reach.script import compose
from rpool.reach.ssh import Completed
from rpool.reach.verdict import SHOWN_CHARACTERS, SHOWN_LINES, Exit, failure, redact
from rpool.user_settings import settings

DOING = "preparing the operating system"
REFUSED = 3  # the role's own exit code: the server is not what the fleet says (library.sh)
GRACE_SECONDS = 15.0  # in which a command that was told to end does so, and says why
SOCKET_PATH_LIMIT = 100  # a unix socket's address has 108 bytes

log = logging.getLogger(__name__)

Done = Callable[[ServerName, RpoolError | None], None]
Host = Mapping[str, Any]


class Shell(Protocol):
    """Runs commands on one server (see rpool.reach.ssh.Session)."""

    def run(self, command: str, stdin: bytes, timeout_seconds: float) -> Completed: ...


class Shells(Protocol):
    """The shells of all servers, by name (see rpool.reach.ssh.Sessions)."""

    def session(self, name: ServerName) -> Shell: ...


def run_preparation(
    sessions: Shells,
    site: SiteConfig,
    actions: Sequence[Prepare],
    timeout_seconds: float,
    done: Done,
) -> None:
    """Prepares servers together; calls `done` once for each, as soon as it is ready or failed."""
    deadline = time.monotonic() + timeout_seconds
    hosts = described(actions, done)
    servers = {a.server: guarded(sessions, a, deadline) for a in actions if a.server in hosts}
    if not servers:
        return
    waiting = list(servers)
    playbook = ansible_folder() / "prepare.yml"
    with (
        private_folder() as name,
        Broker(Path(name) / "socket", servers) as broker,
        Play(Path(name), playbook, inventory(site.mirrors, hosts), broker.path) as play,
    ):
        broker.serve_only(play.pid)
        for event in play.events(deadline):
            tell(event)
            if event.is_end and event.server in waiting:
                waiting.remove(event.server)
                done(event.server, error_of(event, broker.failures.get(event.server)))
        for server in waiting:
            done(server, unfinished(server, play, time.monotonic() >= deadline))


def private_folder() -> AbstractContextManager[str]:
    """A temporary folder for one play: its socket, its inventory, and Ansible's home."""
    folder = TemporaryDirectory(prefix="rpool-", ignore_cleanup_errors=True)
    if len(folder.name) < SOCKET_PATH_LIMIT - len("/socket"):
        return folder
    folder.cleanup()
    return TemporaryDirectory(prefix="rpool-", dir="/tmp", ignore_cleanup_errors=True)


def guarded(sessions: Shells, action: Prepare, deadline: float) -> Run:
    """A function that runs Ansible's commands on the action's server while its claim is ours."""

    def run(command: str, stdin: bytes) -> Completed:
        seconds = max(1.0, deadline - time.monotonic())
        script = guarded_script(action, command, stdin, seconds)
        completed = sessions.session(action.server).run(
            f"timeout -k 10 {math.ceil(seconds)} sh -s", script.encode(), seconds + GRACE_SECONDS
        )
        if completed.code in set(Exit):
            error = failure(DOING, action.server, completed)
            if error is not None:
                raise error
        return completed

    return run


def guarded_script(action: Prepare, command: str, stdin: bytes, seconds: float) -> str:
    """The script that runs `command` on the server, if its claim is still that of the action."""
    return compose(
        ("library", "guard", "ansible"),
        {
            "TIMEOUT_SECONDS": str(math.ceil(seconds)),
            "DOING": DOING,
            **render.guarded(action.server, action.ownership),
            "GUARD": "alone",
            "COMMAND": command,
            "COMMAND_STDIN": base64.b64encode(stdin).decode(),
        },
    )


def described(actions: Sequence[Prepare], done: Done) -> dict[ServerName, Host]:
    """The role's variables of each server; a server whose action is refused is reported failed."""
    hosts = {}
    for action in actions:
        try:
            hosts[action.server] = host(action)
        except Refused as error:
            done(action.server, error)
    return hosts


def inventory(mirrors: Mirrors, hosts: Mapping[ServerName, Host]) -> dict[str, Any]:
    """The inventory with what the role `server` needs (see ansible/roles/server/defaults)."""
    common: dict[str, Any] = {"ansible_connection": "rpool"}
    common["server_packages_key"] = mirrors.packages_key
    if mirrors.packages is not None:
        common["server_packages"] = mirrors.packages
    if mirrors.images is not None:
        common["server_images"] = mirrors.images
    return {"all": {"hosts": dict(hosts), "vars": common}}


def host(action: Prepare) -> Host:
    """The role's variables of one server: names of a closed form, and numbers. An action may come
    from a cluster's record, which its administrators can write, so its text is not trusted. Raises
    Refused, with what is wrong.
    """
    kubelet = settings(action.kubeadm.kubelet)
    driver = kubelet.get("cgroupDriver", "systemd")
    _expect(action, SERVER_NAME.fullmatch(action.server), "this is no name of a server")
    version = KUBERNETES_VERSION.fullmatch(action.kubernetes_version)
    _expect(action, version, f"{action.kubernetes_version!r:.60} is no version of Kubernetes")
    _expect(action, action.cni in CNIS, f"{action.cni!r:.60} is no cni that rpool knows")
    known = isinstance(driver, str) and driver in CGROUP_DRIVERS
    _expect(action, known, f"the kubelet's cgroupDriver is neither {' nor '.join(CGROUP_DRIVERS)}")
    return {
        "server_kubernetes_version": action.kubernetes_version,
        "server_more_images": list(cni.named(action.cni).images),
        "server_cores": action.minimum_cores,
        "server_memory_gib": action.minimum_memory_gib,
        "server_cgroup_driver": driver,
        "server_swap": kubelet.get("failSwapOn") is False,
    }


def _expect(action: Prepare, holds: object, otherwise: str) -> None:
    if not holds:
        raise Refused(
            f"{action.server:.63} cannot be prepared: {otherwise}",
            "It is from the configuration, or from the record in the cluster (ConfigMap "
            "kube-system/rpool).",
        )


def tell(event: Event) -> None:
    """Logs the scripts' warnings for the operator, and all else for debugging."""
    if event.is_end:
        return
    log.debug("%s: %s: %s", event.server, event.task, event.outcome)
    for line in event.stderr.splitlines():
        if line.startswith("warning: "):
            text = printable(redact(line.removeprefix("warning: ")))
            log.warning("%s: %s", event.server, text[:SHOWN_CHARACTERS])


def error_of(event: Event, contact: RpoolError | None) -> RpoolError | None:
    """The error that the end of a server's play stands for, or None. `contact` is the error that
    the server's last command raised, if any: it knows best.
    """
    if event.outcome == "ok":
        return None
    if contact is not None:
        return contact
    errors = [line for line in event.stderr.splitlines() if line.strip()]
    reason = redact(errors[-1] if errors else event.message or "no reason was given")
    output = [line for line in event.stdout.splitlines() if line.strip()] + errors
    lines = [line[:SHOWN_CHARACTERS] for line in redact("\n".join(output)).splitlines()]
    detail = "\n".join([f"Task: {event.task}", *lines[-SHOWN_LINES:]])
    summary = f"{event.server} cannot be prepared: {reason[:SHOWN_CHARACTERS]}"
    if event.outcome == "unreachable":
        return Unreachable(summary, detail)
    return Refused(summary) if event.code == REFUSED else CommandFailed(summary, detail)


def unfinished(server: ServerName, play: Play, late: bool) -> RpoolError:
    """The error for a server whose end the play has not reported."""
    if late:
        return TimedOut(f"{DOING} on {server} did not end in time")
    return Bug(f"Ansible ended without a result for {server}", redact(play.complaint()))
