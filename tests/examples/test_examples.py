"""Each example is applied, has an empty plan then, and is destroyed, with modelled servers.

    terraform apply -var-file=simulated.tfvars

is what its reader is told to try. On servers that boot, tests/lab applies one-cluster, application
and, by tests/lab/test_hcp.py, what hcp-terraform shows.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from protocol.workspace import Ran

from examples.tree import configurations, copied, run, settings, sources
from rpool.simulate import FILE_NAME
from rpool.simulate.store import Store

SIMULATED = "simulated.tfvars"
ALL = configurations()
MODULE = Path("terraform/module")
"""It has no provider block, and so cannot be applied alone: two others use it, and its test."""

APPLIED = [example for example in ALL if example != MODULE]
WORKSPACES = {"site-per-workspace": ("ams", "fra")}
REMOTE = "cloud.tf"
KUBECTL = """\
#!/bin/sh
echo "$@" >>{folder}/called
cp "$2" {folder}/kubeconfig
"""


@dataclass(frozen=True)
class Examples:
    folder: Path
    rc: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, example: Path, *words: str) -> Ran:
        return run(self.folder / example, self.rc, *words, **self.environment)

    def done(self, example: Path, *words: str) -> Ran:
        ran = self.run(example, *words)
        assert ran.status == 0, f"{example}: {' '.join(words)}\n{ran.output}"
        return ran


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    folder = copied(tmp_path_factory.mktemp("examples"))
    texts = [path.read_text() for path in folder.rglob("*.tf")]
    examples = Examples(folder, settings(tmp_path_factory.mktemp("settings"), sources(texts)))
    for name in ALL:
        if any("module " in path.read_text() for path in (folder / name).glob("*.tf")):
            examples.done(name, "get")
    return examples


def test_there_is_an_example_of_each_kind() -> None:
    assert {example.name for example in ALL} >= {
        "air-gapped", "application", "hcp-terraform", "module", "one-cluster", "simulated",
        "site-per-workspace", "two-sites",
    }  # fmt: skip


def test_all_are_formatted(examples: Examples) -> None:
    """With what `terraform fmt` would change."""
    ran = run(examples.folder, examples.rc, "fmt", "-check", "-diff", "-recursive")
    assert (ran.status, ran.output) == (0, "")


@pytest.mark.parametrize("example", APPLIED, ids=str)
def test_it_is_applied_and_destroyed(examples: Examples, example: Path) -> None:
    folder = examples.folder / example
    if (folder / REMOTE).exists():
        examples.done(example, "validate")
        (folder / REMOTE).unlink()  # the run is here, and so is its state
    values = [f"-var-file={SIMULATED}"] if (folder / SIMULATED).exists() else []
    for workspace in WORKSPACES.get(example.name, ("default",)):
        before = claimed(folder)
        in_workspace = replace(examples, environment={"TF_WORKSPACE": workspace})
        applied = in_workspace.done(example, "apply", "-auto-approve", *values)
        assert "SIMULATED" in applied
        taken = claimed(folder) - before
        assert taken, "no cluster was made"
        if example.name in WORKSPACES:
            assert {name.split("-")[0] for name in taken} == {workspace}
        in_workspace.done(example, "plan", "-detailed-exitcode", *values)
    for workspace in WORKSPACES.get(example.name, ("default",)):
        in_workspace = replace(examples, environment={"TF_WORKSPACE": workspace})
        in_workspace.done(example, "destroy", "-auto-approve", *values)
    assert claimed(folder) == set()


def test_the_module_s_own_test_passes(examples: Examples) -> None:
    ran = examples.done(MODULE, "test")
    assert "3 passed, 0 failed" in ran
    assert claimed(examples.folder / MODULE) == set()


def test_a_program_gets_a_kubeconfig_for_as_long_as_it_runs(
    examples: Examples, tmp_path: Path
) -> None:
    """The file works with the cluster of another example, too, as tests/lab/test_kubeconfig.py
    uses it on servers that boot.
    """
    folder = tmp_path / "terraform/one-cluster"
    shutil.copytree(examples.folder / "terraform/one-cluster", folder)
    shutil.copy(examples.folder / "terraform/application/application.tf", folder)
    (tmp_path / "kubectl").write_text(KUBECTL.format(folder=tmp_path))
    (tmp_path / "kubectl").chmod(0o755)
    copies = replace(examples, folder=tmp_path)
    kubectl = f"-var=kubectl={tmp_path}/kubectl"
    copies.done(
        Path("terraform/one-cluster"), "apply", "-auto-approve", f"-var-file={SIMULATED}", kubectl
    )
    first, second = (tmp_path / "called").read_text().splitlines()
    path = Path(first.split()[1])
    assert first.split()[2:] == ["apply", "-f", "../one-cluster/web.yaml"]
    assert second.split()[2:4] == ["rollout", "status"]
    kubeconfig = yaml.safe_load((tmp_path / "kubeconfig").read_text())
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://10.0.1.200:6443"
    assert not path.exists()
    assert kubeconfig["users"][0]["user"].keys() == {"client-certificate-data", "client-key-data"}


def test_without_modelled_servers_an_example_asks_for_a_key(examples: Examples) -> None:
    """A variable that is left out leads neither to real servers nor to modelled ones."""
    planned = examples.run(Path("terraform/two-sites"), "plan")
    assert planned.status == 1
    assert "ssh.private_key is required" in planned


def claimed(folder: Path) -> set[str]:
    """The servers that a cluster has."""
    with closing(Store(folder / FILE_NAME)) as store:
        machines = store.load() or {}
    return {name for name, machine in machines.items() if machine.claim is not None}
