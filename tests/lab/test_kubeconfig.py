"""The way into a cluster: for Terraform in the apply that makes it, and for people."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from canary import Canary, unpacked
from desk import EXAMPLE, Desk
from lab.application import manifest
from lab.cache import default_cache
from lab.packages import programs
from lab.settings import write_variables
from lab.versions import release_of
from scenarios.pool import Done

from rpool.model.quantity import quantity

APPLICATION = EXAMPLE.parent / "application/application.tf"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("plain_start"),
]


@pytest.fixture(scope="module")
def kubectl(desk: Desk) -> str:
    """The program, of the cluster's version: the lab has built it."""
    release = release_of(desk.lab.kubernetes)
    return str(programs.built(default_cache(), programs.kubernetes(release)) / "kubectl")


@pytest.fixture(scope="module")
def here(desk: Desk, kubectl: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with the example, an application, and a site file; in the end nothing is left."""
    folder = tmp_path_factory.mktemp("kubeconfig")
    for path in (*EXAMPLE.glob("*.tf"), APPLICATION):
        shutil.copy(path, folder)
    write_variables(desk.lab, folder)
    (folder / "web.yaml").write_text(manifest())
    more = {"kubectl": kubectl, "manifest": "web.yaml"}
    (folder / "more.auto.tfvars.json").write_text(json.dumps(more))
    here = replace(desk, folder=folder)
    yield here
    destroyed = here.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert here.claims() == {}


@pytest.fixture(scope="module")
def applied(here: Desk) -> Done:
    log = here.folder / "trace.log"
    planned = here.terraform("plan", "-out=saved.tfplan", log=log)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    applied = here.terraform("apply", "saved.tfplan", log=log)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    return applied


def test_an_application_runs_after_the_apply_that_made_the_cluster(
    here: Desk, applied: Done
) -> None:
    pods = here.kubectl(here.with_role("control_plane")[0], "get pods -l app=hello --no-headers")
    assert [line.split()[2] for line in pods.splitlines()] == ["Running", "Running"]
    assert "To connect: rpool kubeconfig demo --merge" in applied.stdout + applied.stderr


def test_nothing_of_the_kubeconfig_is_left(here: Desk, applied: Done) -> None:
    folder = here.folder
    texts = {
        "state": (folder / "terraform.tfstate").read_bytes(),
        "plan file": unpacked(folder / "saved.tfplan"),
        "log at TRACE": (folder / "trace.log").read_bytes(),
        "output": (applied.stdout + applied.stderr).encode(),
        **{
            f"{what} on {name}": here.ssh(name, command).encode()
            for name in here.with_role("control_plane")
            for what, command in {
                "journal": "cat /var/lib/rpool/journal.jsonl",
                "requests": "kubectl --kubeconfig /etc/kubernetes/admin.conf get csr -o yaml",
            }.items()
        },
    }
    assert all(texts.values()), "something that should have been looked at was empty"
    canary = Canary.of(Path(here.site["key_file"]).read_text())
    found = {where: canary.in_(text) for where, text in texts.items()}
    assert {where: what for where, what in found.items() if what} == {}


def test_the_plan_after_it_is_empty(here: Desk, applied: Done) -> None:
    planned = here.terraform("plan", "-detailed-exitcode")
    assert planned.returncode == 0, planned.stdout + planned.stderr


def words(here: Desk, command: str, *more: str) -> list[str]:
    """An `rpool` command about the cluster, as it is called at the desk."""
    site = str(here.folder / "site.yaml")
    return here.words(sys.executable, "-m", "rpool", command, "demo", "--site", site, *more)


def rpool(here: Desk, command: str, *more: str) -> str:
    argv = words(here, command, *more)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def requested(here: Desk) -> dict[str, tuple[float, float]]:
    """The shares of each node's allocatable cores and memory that its pods request, by the whole of
    what the API has: nothing is left to a jsonpath.
    """
    through = here.with_role("control_plane")[0]
    pods = json.loads(here.kubectl(through, "get pods --all-namespaces -o json"))["items"]
    nodes = json.loads(here.kubectl(through, "get nodes -o json"))["items"]
    sums = {item["metadata"]["name"]: {"cpu": 0.0, "memory": 0.0} for item in nodes}
    for pod in pods:
        node, phase = pod["spec"].get("nodeName"), pod["status"]["phase"]
        if node is None or phase in ("Succeeded", "Failed"):
            continue
        for container in pod["spec"]["containers"]:
            requests = container.get("resources", {}).get("requests", {})
            for what in sums[node]:
                sums[node][what] += quantity(requests.get(what, "0"))
    offers = {item["metadata"]["name"]: item["status"]["allocatable"] for item in nodes}
    return {
        name: (
            used["cpu"] / quantity(offers[name]["cpu"]),
            used["memory"] / quantity(offers[name]["memory"]),
        )
        for name, used in sums.items()
    }


def bars(slots: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """The same shares in what rpool prints; spares have none."""
    drawn = ((slot["name"], (slot["cores_used"], slot["memory_used"])) for slot in slots)
    return {name: used for name, used in drawn if used != (None, None)}


def test_what_show_and_watch_draw_is_what_the_pods_request(here: Desk, applied: Done) -> None:
    """By what a real kubectl prints for our jsonpath; in quick tests a kubectl of ours answers."""
    for _ in range(5):  # pods may come and go still
        expected = requested(here)
        drawn = bars(json.loads(rpool(here, "show", "--json"))["slots"])
        with subprocess.Popen(words(here, "watch", "--json"), stdout=subprocess.PIPE) as watch:
            assert watch.stdout is not None
            line = json.loads(watch.stdout.readline())
            watch.terminate()
        if requested(here) == expected:
            break
    else:
        pytest.fail("pods came and went all the time")
    assert drawn.keys() == expected.keys() == set(here.state()["servers"])
    for name, used in expected.items():
        assert drawn[name] == pytest.approx(used), name
        assert bars(line["slots"])[name] == pytest.approx(used), name
    assert all(cores > 0 for cores, _ in expected.values()), "no server has pods that request any"


@pytest.fixture
def asked(here: Desk, applied: Done, kubectl: str, tmp_path: Path) -> Callable[..., Done]:
    """Asks the cluster with a kubeconfig that `rpool kubeconfig` merged by these words."""

    def ask(question: str, *more: str) -> Done:
        path = tmp_path / "config"
        output = rpool(here, "kubeconfig", "--merge", str(path), *more)
        assert "kubectl --context rpool-demo" in output
        command = here.words(kubectl, "--kubeconfig", str(path), *question.split())
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return ask


@pytest.mark.parametrize("how", [(), ("--exec",)])
def test_somebody_gets_in(
    asked: Callable[..., Done], how: tuple[str, ...], figure: Callable[[str], None]
) -> None:
    started = time.monotonic()
    whoami = asked("auth whoami -o json", "--user", "ann", *how)
    figure(f"a kubeconfig {' '.join(how)} and its first use: {time.monotonic() - started:.1f} s")
    assert whoami.returncode == 0, whoami.stderr
    who = json.loads(whoami.stdout)["status"]["userInfo"]
    assert who["username"] == "ann"
    assert "kubeadm:cluster-admins" in who["groups"]


def test_somebody_gets_less(asked: Callable[..., Done]) -> None:
    words = ("--user", "bob", "--group", "team-a", "--ttl", "10m")
    refused = asked("get nodes", *words)
    assert 'nodes is forbidden: User "bob" cannot list resource' in refused.stderr
    bound = asked("create clusterrolebinding team-a --clusterrole=view --group=team-a")
    assert bound.returncode == 0, bound.stderr
    assert asked("get pods", *words).returncode == 0
