"""What a record or a configuration says is text to Ansible, whatever it looks like."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from worlds.fakes import FakeServer, FakeServers, playbook, prepare, site

from rpool.errors import RpoolError
from rpool.model.action import Prepare
from rpool.model.claim import Ownership
from rpool.model.pool import ControlPlane, Endpoint, Kubeadm, PoolSpec
from rpool.model.record import Record
from rpool.model.server import ServerName
from rpool.reach import documents
from rpool.reach.ansible import guarded_script, private_folder, run_preparation
from rpool.reach.ansible_broker import Broker, Run
from rpool.reach.ansible_play import Play
from rpool.reach.ssh import Completed

SPEC = PoolSpec("batch", "1.36.3", 16, 32, ControlPlane(1, Endpoint("10.0.1.200")))


def template(ran: Path) -> str:
    return "{{ lookup('pipe', 'touch " + str(ran) + "') }}"


def told(action: Prepare, **mirrors: str) -> tuple[RpoolError | None, FakeServer]:
    """How a preparation ended, and the server with what it was asked."""
    ended: dict[ServerName, RpoolError | None] = {}
    server = FakeServer(action.server)
    servers = FakeServers({action.server: server})
    run_preparation(servers, site(**mirrors), [action], 60, ended.__setitem__)
    return ended[action.server], server


def of_records(ran: Path) -> Mapping[str, Prepare]:
    """A preparation with a template in each field that may come from a cluster's record."""
    good, text = prepare("r1u04"), template(ran)
    kubelet = yaml.safe_dump({"cgroupDriver": text, "failSwapOn": text, text: text})
    swap = yaml.safe_dump({"failSwapOn": text, text: text})
    return {
        "server": replace(good, server=text),
        "uid": replace(good, ownership=Ownership(text, 3)),
        "version": replace(good, kubernetes_version=text),
        "version with a tail": replace(good, kubernetes_version=f"1.36.3{text}"),
        "cgroup driver": replace(good, kubeadm=Kubeadm(kubelet)),
        "kubelet's keys and values": replace(good, kubeadm=Kubeadm(swap)),
        "kubelet that is no mapping": replace(good, kubeadm=Kubeadm(text)),
        "kube-proxy": replace(good, kubeadm=Kubeadm(None, text, (text,))),
        "cni": replace(good, cni=text),
    }


CLOSED = {
    "server": "no name of a server",
    "version": "no version of Kubernetes",
    "version with a tail": "no version of Kubernetes",
    "cgroup driver": "cgroupDriver",
    "kubelet that is no mapping": "mapping",
    "cni": "cni",
}


@pytest.mark.parametrize("field", of_records(Path()))
def test_a_template_in_a_record_runs_nothing(field: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    error, server = told(of_records(ran)[field])
    assert not ran.exists()
    if field in CLOSED:
        assert error is not None
        assert CLOSED[field] in str(error)
        assert server.guards == []
    else:
        assert error is None


@pytest.mark.parametrize("where", ["version", "kubelet"])
def test_a_template_is_in_no_record_that_is_read(where: str, tmp_path: Path) -> None:
    kubelet = Kubeadm(yaml.safe_dump({"cgroupDriver": template(tmp_path / "ran")}))
    of_version = replace(SPEC, kubernetes_version=template(tmp_path / "ran"))
    spec = of_version if where == "version" else replace(SPEC, kubeadm=kubelet)
    written = json.loads(documents.record(Record("0badcafe", "", 3, 0, spec, None, {})))
    with pytest.raises(ValueError, match="settled: kube"):
        documents.read_record(written["data"]["record"])


@pytest.mark.parametrize("mirror", ["packages", "images", "manifests"])
def test_a_template_in_a_mirror_s_address_stays_text(mirror: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    error, server = told(prepare("r1u04"), **{mirror: f"https://x/{template(ran)}{{{{7*7}}}}"})
    assert not ran.exists()
    assert error is None
    scripts = "".join(server.scripts.values())
    assert "/49" not in scripts
    assert "{{7*7}}" in scripts or mirror == "manifests"


@pytest.mark.parametrize("version", ["1.36", "1.036.3", "1.36.3\n", "١.٣٦.٣", "v1.36.3"])  # noqa: RUF001
def test_a_version_is_ascii_digits_without_leading_zeros(version: str) -> None:
    error, server = told(replace(prepare("r1u04"), kubernetes_version=version))
    assert error is not None
    assert "no version of Kubernetes" in str(error)
    assert server.guards == []


def test_one_bad_record_leaves_the_other_servers_alone() -> None:
    ended: dict[ServerName, RpoolError | None] = {}
    servers = FakeServers({name: FakeServer(name) for name in ("r1u04", "r2u04")})
    actions = [replace(prepare("r1u04"), kubernetes_version="{{1}}"), prepare("r2u04")]
    run_preparation(servers, site(), actions, 60, ended.__setitem__)
    assert ended["r1u04"] is not None
    assert ended["r2u04"] is None


def test_no_string_of_an_inventory_is_a_template_be_it_key_or_value(tmp_path: Path) -> None:
    """Also for what is added to the inventory one day."""
    ran = tmp_path / "ran"
    text = template(ran)
    variables = {"ansible_connection": "rpool", "deep": [{text: text}], "flat": text}
    tasks = "    - ansible.builtin.raw: echo {{ flat | quote }} {{ deep | string | quote }}\n"
    server = FakeServer("r1u04")
    with (
        private_folder() as name,
        Broker(Path(name) / "socket", {"r1u04": server_run(server)}) as broker,
        Play(
            Path(name),
            playbook(tmp_path, tasks),
            {"all": {"hosts": {"r1u04": {}}, "vars": variables}},
            broker.path,
        ) as play,
    ):
        list(play.events(time.monotonic() + 60))
    assert not ran.exists()
    assert text.replace("'", "'\"'\"'") in server.scripts["other"]


def server_run(server: FakeServer) -> Run:
    def run(command: str, stdin: bytes) -> Completed:
        return server.run("", guarded_script(prepare("r1u04"), command, stdin, 60).encode(), 60)

    return run
