"""A server's disk and its power: making it, switching it on, and all that can befall it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from lab.cache import write
from lab.command import LabError, run
from lab.site import cgroups, network
from lab.site.hardware import write_hardware
from lab.site.layout import Lab
from lab.site.servers import Server

HERE = Path(__file__).parent
# folders that the server keeps beside its overlay, since they hold overlays themselves
BESIDE = ("containerd", "kubelet", "etcd")
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
SSH_SECONDS = 60.0


def make_disk(lab: Lab, server: Server, owner_key: str) -> None:
    """Install the server: an empty disk over the lab's Debian, and its few own files."""
    disk = lab.disk(server)
    upper = disk / "upper"
    for folder in ("upper", "work", "root", *BESIDE):
        (disk / folder).mkdir(parents=True)
    write(disk / "machine-id", uuid.uuid4().hex)
    write_hardware(server, upper / "usr/lib/rpool-lab/hardware")
    write(upper / "etc/hostname", f"{server.name}\n")
    # Nothing answers there, as at a site without DNS; but CoreDNS wants a name server to be named.
    write(upper / "etc/resolv.conf", f"nameserver {lab.gateway}\n")
    write(upper / "etc/hosts", f"127.0.0.1 localhost\n{server.address} {server.name}\n")
    write(
        upper / "etc/apt/sources.list",
        f"deb [signed-by=/usr/share/keyrings/rpool-lab.asc] http://{lab.gateway}/debian ./\n",
    )
    _make_host_key(upper, server)
    _authorize(upper / "root", owner_key, user=0)
    _authorize(upper / "home/ops", owner_key, user=1000)


def _make_host_key(upper: Path, server: Server) -> None:
    key = upper / HOST_KEY
    key.parent.mkdir(parents=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", server.name, "-f", key)


def _authorize(home: Path, owner_key: str, user: int) -> None:
    folder = home / ".ssh"
    folder.mkdir(parents=True)
    write(folder / "authorized_keys", owner_key, mode=0o600)
    home.chmod(0o700)
    folder.chmod(0o700)
    for path in (home, folder, folder / "authorized_keys"):
        os.chown(path, user, user)


def host_key(lab: Lab, server: Server) -> str:
    """The public key that the server's sshd shows: type and key."""
    text = (lab.disk(server) / "upper" / f"{HOST_KEY}.pub").read_text()
    return " ".join(text.split()[:2])


def power_on(lab: Lab, server: Server) -> None:
    """Switch the server on; returns at once."""
    if is_on(lab, server):
        return
    for group in _groups(server):
        cgroups.remove(lab.name, group)
        cgroups.make(lab.name, group)
    shutil.rmtree(lab.disk(server) / "work", ignore_errors=True)
    (lab.disk(server) / "work").mkdir()
    lab.console(server).parent.mkdir(parents=True, exist_ok=True)
    environment = {
        "SWITCH": lab.switch,
        "PORT": server.name,
        "NAMESPACE": lab.namespace(server),
        "CUT_MARK": str(lab.cut_mark(server)),
        "ADDRESS": server.address,
        "NETWORK_BITS": str(network.BITS),
        "GATEWAY": lab.gateway,
        "MAC": server.mac,
        "GROUPS_": ":".join(map(str, cgroups.groups(lab.name, server.name))),
        "LAYERS": ":".join(lab.root_layers),
        "DISK": str(lab.disk(server)),
        "NAME": server.name,
        "MACHINE": (lab.disk(server) / "machine-id").read_text(),
        "PATH": os.environ["PATH"],
    }
    start(lab, _groups(server)[0], ["sh", str(HERE / "power.sh")], lab.console(server), environment)


def start(
    lab: Lab, group: str, argv: list[str], log: Path, environment: dict[str, str] | None = None
) -> None:
    """Start a process that outlives this one, in a group of the lab by which `down` finds it."""
    procs = cgroups.unified() / cgroups.TOP / lab.name / group / "cgroup.procs"
    enter = f'echo 0 > "{procs}" && exec "$@"'
    with log.open("ab") as printed:
        subprocess.Popen(
            ["/bin/sh", "-c", enter, "sh", *argv],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env=environment,
            start_new_session=True,
        )


def _groups(server: Server) -> tuple[str, str]:
    """The group of the script that reboots the server, and the server's own."""
    return f"power-{server.name}", server.name


def is_on(lab: Lab, server: Server) -> bool:
    return any(cgroups.is_populated(lab.name, group) for group in _groups(server))


def kill(lab: Lab, server: Server) -> None:
    """Cut the server's power. The link goes down, too, or the kernel would answer for it."""
    network.plug(lab, server, connected=False)
    for group in _groups(server):
        cgroups.kill(lab.name, group)
        cgroups.remove(lab.name, group)


def freeze(lab: Lab, server: Server) -> None:
    cgroups.freeze(True, lab.name, server.name)


def thaw(lab: Lab, server: Server) -> None:
    cgroups.freeze(False, lab.name, server.name)


def cut(lab: Lab, server: Server) -> None:
    """Pull the server's cable; it stays pulled over a power cycle."""
    write(lab.cut_mark(server), "")
    network.plug(lab, server, connected=False)


def restore(lab: Lab, server: Server) -> None:
    """Plug the server's cable in again."""
    lab.cut_mark(server).unlink(missing_ok=True)
    network.plug(lab, server, connected=True)


def wait_for_ssh(lab: Lab, server: Server) -> None:
    """Return once the server's sshd answers, or raise with the end of its console."""
    deadline = time.monotonic() + SSH_SECONDS
    while not answers_ssh(lab, server):
        if time.monotonic() > deadline:
            console = lab.console(server).read_text(errors="replace")[-3000:]
            raise LabError(f"{server.name} does not answer SSH; its console ends with:\n{console}")
        time.sleep(0.1)


def ssh(lab: Lab, name: str, *command: str) -> list[str]:
    """The words that log in to a server as root from the desk, or run a command there."""
    options = [
        "-i", str(lab.key), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
        "-o", f"UserKnownHostsFile={lab.known_hosts}", "-o", "LogLevel=ERROR",
        "-o", "ConnectTimeout=10", "-F", "none",
    ]  # fmt: skip
    return ["ssh", *options, f"root@{lab.server(name).address}", *command]


def answers_ssh(lab: Lab, server: Server) -> bool:
    """Whether something at the server's port 22 speaks SSH, as seen from the desk."""
    probe = f'exec 3<>/dev/tcp/{server.address}/22 && read -t 1 -u 3 greeting && [ -n "$greeting" ]'
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.desk}", "timeout", "1.5", "bash", "-c", probe],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0
