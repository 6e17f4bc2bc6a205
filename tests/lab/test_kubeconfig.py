"""The way into a cluster: for Terraform in the apply that makes it, and for people."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from canary import Canary, unpacked
from desk import EXAMPLE, Desk
from lab.application import manifest
from lab.cache import default_cache
from lab.packages import programs
from lab.settings import fleet, write_variables
from lab.versions import release_of
from scenarios.pool import Done

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
    ssh = {"user": "root", "private_key_file": desk.site["key_file"]}
    site = {"fleet": yaml.safe_load(fleet(desk.lab)), "ssh": ssh}
    (folder / "site.yaml").write_text(yaml.safe_dump(site))
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
    assert "To get in: rpool kubeconfig demo --merge" in applied.stdout + applied.stderr


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


def rpool(here: Desk, *words: str) -> str:
    site = str(here.folder / "site.yaml")
    command = here.words(sys.executable, "-m", "rpool", "kubeconfig", "demo", "--site", site)
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def asked(here: Desk, applied: Done, kubectl: str, tmp_path: Path) -> Callable[..., Done]:
    """Asks the cluster with a kubeconfig that `rpool kubeconfig` merged by these words."""

    def ask(question: str, *words: str) -> Done:
        path = tmp_path / "config"
        assert "kubectl --context rpool-demo" in rpool(here, "--merge", str(path), *words)
        command = here.words(kubectl, "--kubeconfig", str(path), *question.split())
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return ask


@pytest.mark.parametrize("how", [(), ("--exec",)])
def test_somebody_gets_in(
    asked: Callable[..., Done], how: tuple[str, ...], figure: Callable[[str], None]
) -> None:
    started = time.monotonic()
    got = asked("auth whoami -o json", "--user", "ann", *how)
    figure(f"a kubeconfig {' '.join(how)} and its first use: {time.monotonic() - started:.1f} s")
    assert got.returncode == 0, got.stderr
    who = json.loads(got.stdout)["status"]["userInfo"]
    assert who["username"] == "ann"
    assert "kubeadm:cluster-admins" in who["groups"]


def test_somebody_gets_less(asked: Callable[..., Done]) -> None:
    words = ("--user", "bob", "--group", "team-a", "--ttl", "10m")
    refused = asked("get nodes", *words)
    assert 'nodes is forbidden: User "bob" cannot list resource' in refused.stderr
    bound = asked("create clusterrolebinding team-a --clusterrole=view --group=team-a")
    assert bound.returncode == 0, bound.stderr
    assert asked("get pods", *words).returncode == 0
