"""A server for tests: a real sshd on loopback, in mount and PID namespaces of its own.

Its /etc, /var/lib, /var/log and /run are directories of the test, so scripts run for real and
change nothing of this machine. Commands that would change more (kubeadm, kubectl ...) are markers
on its PATH that only write down that they were called.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rpool.certificates import new_authority
from rpool.model.server import Server
from rpool.model.site import SiteConfig
from worlds.samples import NODE, site

MARKERS = ("kubeadm", "kubectl", "systemctl", "crictl", "nft", "iptables", "ip6tables", "apt-get")
DIRECTORIES = ("etc", "var/lib", "var/log", "run")


@dataclass(frozen=True)
class TestServer:
    """`root` has what is mounted over the server's directories; `calls` what markers wrote."""

    __test__ = False
    root: Path
    port: int
    host_key: str
    user_key: str
    process: subprocess.Popen[bytes]

    @property
    def node(self) -> Server:
        return replace(NODE, address="127.0.0.1", port=self.port, host_key=self.host_key)

    def site(self, **changes: str) -> SiteConfig:
        return site(self.node, changes.get("key", self.user_key), changes.get("user", "root"))

    def path(self, absolute: str) -> Path:
        return self.root / absolute.removeprefix("/")

    @property
    def calls(self) -> str:
        """The calls of markers, one a line, except those that only look."""
        log = self.root / "calls"
        lines = log.read_text().splitlines(keepends=True) if log.exists() else []
        return "".join(line for line in lines if not line.startswith("nft list "))

    def marker(self, name: str, body: str) -> None:
        """Make a command of the server do as `body` (sh) says, besides being written down. One
        that stands for kubeadm makes the CA, too, or fetches it as it joins.
        """
        path = self.root / "bin" / name
        log = self.root / "calls"
        first = _AUTHORITY.format(authority=self.root / "authority") if name == "kubeadm" else ""
        path.write_text(f'#!/bin/sh\n{first}printf "%s\\n" "{name} $*" >>{log}\n{body}\n')
        path.chmod(0o755)

    def certify(self) -> str:
        """Give it a CA as a control plane has one, with its key; returns the certificate."""
        folder = self.path("/etc/kubernetes/pki")
        shutil.copytree(self.root / "authority", folder, dirs_exist_ok=True)
        return (folder / "ca.crt").read_text()

    def plain_markers(self) -> None:
        for name in MARKERS:
            self.marker(name, "exit 0")

    def snapshot(self) -> dict[str, bytes]:
        """Every file of the server that matters, with its content, or where it leads to."""
        tree: dict[str, bytes] = {}
        for top in ("etc", "var/lib", "var/log"):
            for folder, folders, files in os.walk(self.root / top):
                tree |= {f"{folder}/{name}": b"" for name in folders}
                tree |= {str(path): _content(path) for path in map(Path(folder).joinpath, files)}
        return tree


KUBEADM = """case $1 in
init | join) mkdir -p /etc/kubernetes; touch /etc/kubernetes/kubelet.conf ;;
reset) rm -rf /etc/kubernetes ;;
esac
"""
"""What a marker does that changes the server as the real kubeadm would."""

_AUTHORITY = """case "$1 $2 $3" in
"init phase certs" | join*)
    mkdir -p /etc/kubernetes/pki
    cp {authority}/* /etc/kubernetes/pki
    if [ "$1" = init ]; then exit 0; fi
    ;;
esac
"""


def _authority(folder: Path) -> None:
    """A CA, with its key, for `certify` and `marker`."""
    folder.mkdir()
    certificate, key = new_authority()
    (folder / "ca.crt").write_text(certificate)
    (folder / "ca.key").write_text(key)


def _content(path: Path) -> bytes:
    return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_key(path: Path, kind: str = "ed25519", *options: str) -> Path:
    """A key pair made by ssh-keygen, without a passphrase unless options say so."""
    command = ["ssh-keygen", "-q", "-t", kind, "-f", str(path), "-C", "test", *options]
    subprocess.run(command if "-N" in options else [*command, "-N", ""], check=True)
    return path


def _files(root: Path) -> None:
    shutil.copytree("/etc", root / "etc", symlinks=True, ignore=shutil.ignore_patterns("ssl*"))
    for directory in (*DIRECTORIES, "run/sshd", "etc/kubernetes", "bin"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(root / "etc" / "kubernetes")
    (root / "etc" / "ssl").mkdir()
    shutil.copy("/etc/ssl/openssl.cnf", root / "etc" / "ssl")
    _authority(root / "authority")
    for name in ("passwd", "shadow"):  # ops: another name of root, to log in as somebody else
        path = root / "etc" / name
        lines = [line for line in path.read_text().splitlines() if not line.startswith("root:")]
        root_too = {
            "passwd": ["root:x:0:0:root:/root:/bin/sh", "ops:x:0:0:ops:/root:/bin/sh"],
            "shadow": ["root:*:19000:0:99999:7:::", "ops:*:19000:0:99999:7:::"],
        }[name]
        path.write_text("\n".join([*root_too, *lines, ""]))


def _configure(root: Path, port: int, more: str) -> Path:
    config = root / "sshd_config"
    config.write_text(
        f"""Port {port}
ListenAddress 127.0.0.1
HostKey {new_key(root / "host_key")}
AuthorizedKeysFile {new_key(root / "user_key")}.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
MaxStartups 100
SetEnv PATH={root}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
{more}
"""
    )
    return config


def _start(root: Path, config: Path) -> subprocess.Popen[bytes]:
    mounts = "".join(f"mount --bind {root}/{name} /{name}\n" for name in DIRECTORIES)
    script = f"set -e\n{mounts}exec /usr/sbin/sshd -D -e -f {config}\n"
    log = (root / "sshd.log").open("wb")
    return subprocess.Popen(
        ["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"the test's sshd did not start: {log.read_text()}")


@contextmanager
def running_sshd(root: Path, more: str = "") -> Iterator[TestServer]:
    """A server whose files are in `root`, a new folder; `more` is added to sshd's configuration."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for a server in namespaces of its own")
    if not Path("/usr/sbin/sshd").exists():
        pytest.fail("these tests need a real sshd: apt-get install openssh-server")
    _files(root)
    port = free_port()
    process = _start(root, _configure(root, port, more))
    try:
        _await_port(port, process, root / "sshd.log")
        host_key = (root / "host_key.pub").read_text()
        server = TestServer(root, port, host_key, (root / "user_key").read_text(), process)
        server.plain_markers()
        yield server
    finally:
        with suppress(ProcessLookupError):  # a test may have ended it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
