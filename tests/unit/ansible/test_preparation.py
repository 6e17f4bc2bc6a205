"""The real Ansible and the real role, on servers that only say what they would have printed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.fakes import FakeServer, FakeServers, prepare, site

from rpool.errors import CommandFailed, Refused, RpoolError, TimedOut, Unreachable
from rpool.model.cni import CNIS
from rpool.model.server import ServerName
from rpool.reach import cni as cnis
from rpool.reach.ansible import run_preparation
from rpool.reach.ssh import Completed


def prepared(
    *servers: FakeServer,
    timeout_seconds: float = 60,
    kubelet: Mapping[str, object] | None = None,
    cni: str = "flannel",
    **mirrors: str,
) -> dict[ServerName, RpoolError | None]:
    """The result for each server, in the order in which they came; each server has one."""
    results: dict[ServerName, RpoolError | None] = {}

    def done(name: ServerName, error: RpoolError | None) -> None:
        assert name not in results
        results[name] = error

    run_preparation(
        FakeServers({server.name: server for server in servers}),
        site(**mirrors),
        [replace(prepare(server.name, **(kubelet or {})), cni=cni) for server in servers],
        timeout_seconds,
        done,
    )
    return results


def test_each_command_runs_under_the_guard_with_the_action_s_ownership() -> None:
    server = FakeServer("r1u04")
    assert prepared(server) == {"r1u04": None}
    assert list(server.scripts) == ["check", "install", "configure", "start"]
    for guard in server.guards:
        assert (
            "CLAIM_UID=0badcafe\nCLAIM_EPOCH=3\nSERVER_NAME=r1u04\nSESSION=0\nGUARD=alone\n"
            in guard
        )
        assert guard.endswith("\nmain </dev/null\n")


def test_a_server_is_told_as_ready_while_another_is_still_at_work() -> None:
    first_is_told = threading.Event()

    def wait(task: str) -> None:
        if task == "install":
            assert first_is_told.wait(30)

    results: list[tuple[ServerName, RpoolError | None]] = []

    def done(name: ServerName, error: RpoolError | None) -> None:
        results.append((name, error))
        first_is_told.set()

    servers = {"r1u04": FakeServer("r1u04", answer=wait), "r2u04": FakeServer("r2u04")}
    run_preparation(FakeServers(servers), site(), [prepare("r1u04"), prepare("r2u04")], 60, done)
    assert results == [("r2u04", None), ("r1u04", None)]


def test_a_server_that_is_too_small_is_refused_in_the_script_s_own_words() -> None:
    output = Completed(3, b"", b"it has 8 cores, and the fleet says 16\n")
    error = prepared(FakeServer("r1u04", answer=lambda task: output))["r1u04"]
    assert isinstance(error, Refused)
    assert error.summary == "r1u04 cannot be prepared: it has 8 cores, and the fleet says 16"


def test_a_failure_has_the_task_and_the_end_of_its_output() -> None:
    output = Completed(1, b"Reading lists\n", b"E: 404\nkubeadm 1.36.3 is not to be had from X\n")
    server = FakeServer("r1u04", answer=lambda task: output if task == "install" else None)
    error = prepared(server, FakeServer("r2u04"))["r1u04"]
    assert isinstance(error, CommandFailed)
    assert error.summary.endswith("kubeadm 1.36.3 is not to be had from X")
    assert "Task: server : Install containerd and Kubernetes" in error.detail
    assert "Reading lists\nE: 404" in error.detail
    assert "configure" not in server.scripts


def test_a_foreign_claim_is_refused_and_nothing_more_is_tried() -> None:
    claim = (
        b'{"format": 1, "uid": "11111111", "pool": "theirs", "owner": "bob", "role": "worker",'
        b' "phase": "member", "epoch": 1, "since": "2026-01-01T00:00:00Z",'
        b' "server": "r1u04", "machine_id": "", "session": 0, "group": "default", "request": ""}'
    )
    server = FakeServer("r1u04", answer=lambda task: Completed(81, claim, b"no"))
    error = prepared(server)["r1u04"]
    assert isinstance(error, Refused)
    assert "theirs" in error.summary
    assert len(server.guards) == 1


def test_lost_contact_keeps_its_type_and_leaves_the_others_alone() -> None:
    def gone(task: str) -> None:
        raise Unreachable("cannot reach r1u04")

    results = prepared(FakeServer("r1u04", answer=gone), FakeServer("r2u04"))
    assert isinstance(results["r1u04"], Unreachable)
    assert results["r2u04"] is None


def test_what_does_not_end_in_time_is_told_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own processes: others of the machine may run Ansible meanwhile."""
    folder = Path(tempfile.mkdtemp())  # shorter than pytest's, so that a socket has room in it
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    release, ended = threading.Event(), threading.Event()

    def hang(task: str) -> None:
        assert ansible_processes(folder)
        if release.wait(300):
            ended.set()

    error = prepared(FakeServer("r1u04", answer=hang), timeout_seconds=5)["r1u04"]
    assert isinstance(error, TimedOut)
    assert not ended.is_set()  # nobody has waited for it
    release.set()
    deadline = time.monotonic() + 60
    while (processes := ansible_processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes == ""
    shutil.rmtree(folder)


def ansible_processes(folder: Path) -> str:
    pattern = rf"ansible\.cli\.playbook.*{re.escape(str(folder))}/rpool-.*/inventory\.yml"
    listed = subprocess.run(["pgrep", "-af", pattern], capture_output=True, text=True, check=False)
    return listed.stdout


def test_an_error_of_the_caller_s_ends_the_play() -> None:
    def done(name: ServerName, error: RpoolError | None) -> None:
        raise KeyboardInterrupt

    servers = FakeServers({"r1u04": FakeServer("r1u04")})
    with pytest.raises(KeyboardInterrupt):
        run_preparation(servers, site(), [prepare("r1u04")], 60, done)


@pytest.mark.parametrize(
    ("containerd", "lines"),
    [
        (
            b"1.7.24~ds1",
            ["version = 2", 'sandbox_image = "registry.k8s.io/pause:3.10.2"', "bin_dir = "],
        ),
        (b"2.0.4", ["version = 3", 'sandbox = "registry.k8s.io/pause:3.10.2"', "bin_dir = "]),
        (b"2.1.9", ["version = 3", 'bin_dirs = ["/opt/cni/bin"]']),
    ],
)
def test_containerd_is_configured_as_its_version_wants(containerd: bytes, lines: list[str]) -> None:
    server = FakeServer("r1u04", containerd=containerd)
    prepared(server)
    for line in [*lines, "SystemdCgroup = true", "restrict_oom_score_adj = false"]:
        assert line in server.scripts["start"]


def test_the_site_s_and_the_kubelet_s_settings_reach_the_scripts() -> None:
    server = FakeServer("r1u04", restricted=b"true")
    prepared(
        server,
        kubelet={"cgroupDriver": "cgroupfs", "failSwapOn": False},
        packages="http://mirror/kubernetes/",
        images="http://mirror:5000",
    )
    assert "REPOSITORY=http://mirror/kubernetes/v1.36/deb/\n" in server.scripts["install"]
    assert "SWAP=on\n" in server.scripts["configure"]
    assert "CORES=16\nMEMORY_GIB=64\n" in server.scripts["check"]
    for line in (
        "put /etc/containerd/certs.d/_default/hosts.toml",
        'server = "http://mirror:5000"',
        "SystemdCgroup = false",
        "restrict_oom_score_adj = true",
    ):
        assert line in server.scripts["start"]


@pytest.mark.parametrize("cni", CNIS)
def test_what_a_node_must_have_to_be_ready_is_fetched_ahead(cni: str) -> None:
    server = FakeServer("r1u04")
    prepared(server, cni=cni)
    assert (
        f"MORE_IMAGES={shlex.quote(' '.join(cnis.named(cni).images))}\n" in server.scripts["start"]
    )


def test_a_mirror_below_a_path_is_asked_there() -> None:
    server = FakeServer("r1u04")
    prepared(server, images="registry.example.org/upstream/")
    assert 'server = "https://registry.example.org/v2/upstream"' in server.scripts["start"]
    assert "override_path = true" in server.scripts["start"]
