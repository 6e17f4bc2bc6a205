"""All HCL in README and docs is formatted, and can be applied, with modelled servers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from lab.settings import KUBEADM
from lab.versions import DEFAULT_KUBERNETES
from protocol.site_config import PRIVATE_KEY
from protocol.workspace import is_opentofu, terraform
from release.served import certify

from examples.fragments import Fragment, fragments
from examples.tree import run, settings, sources

FRAGMENTS = list(fragments())
CONFIGURATIONS = [piece for piece in FRAGMENTS if not piece.is_settings and not piece.file]
SETTINGS = [piece for piece in FRAGMENTS if piece.is_settings]

FLEET = {
    **{f"r{rack}u0{unit}": {"cores": cores, "memory": 4 * cores, "zone": f"rack{rack}"}
       for rack in (1, 2, 3) for unit, cores in enumerate((4, 16, 16, 4), 1)},
    "r1u11": {"cores": 64, "memory": 512, "zone": "rack1", "labels": {"accelerator": "h100"}},
    "r2u11": {"cores": 64, "memory": 512, "zone": "rack2", "reserved": True},
}  # fmt: skip
INVENTORY = """\
[rack1]
r1u01 ansible_host=10.0.1.1 rpool_cores=4 rpool_memory=16Gi
r1u02 ansible_host=10.0.1.2 rpool_cores=32 rpool_memory=128Gi
"""


@pytest.fixture(scope="module")
def rc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [piece.text for piece in FRAGMENTS]
    return settings(tmp_path_factory.mktemp("settings"), sources(texts))


def lab_site(folder: Path) -> dict[str, object]:
    """What `python -m lab site` prints."""
    return {
        "kubernetes": DEFAULT_KUBERNETES,
        "key_file": str(folder / ".ssh/ops"),
        "mirrors": {
            "packages": "http://10.0.5.1/kubernetes",
            "packages_key": "0" * 40,
            "images": "http://10.0.5.1:5000",
            "insecure_images": True,
            "manifests": "http://10.0.5.1/manifests",
        },
        "vips": ["10.0.5.200"],
        "lb_range": "10.0.5.220-10.0.5.250",
        "kubeadm": KUBEADM,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the files that readers have beside what they copy, and a kubectl that does nothing."""
    fleet = {
        name: {**entry, "address": f"10.0.5.{n}"}
        for n, (name, entry) in enumerate(FLEET.items(), 1)
    }
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    site = {"fleet_file": "fleet.yaml", "ssh": {"user": "ops"}}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site))
    (tmp_path / "hosts.ini").write_text(INVENTORY)
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
    (tmp_path / "audit-policy.yaml").write_text(yaml.safe_dump(policy))
    certificate = certify("id.example.org", tmp_path / "id-ca.crt").read_text()
    (tmp_path / "id-ca.crt").write_text(certificate.partition("-----BEGIN PRIVATE")[0])
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/ops").write_text(PRIVATE_KEY)
    (tmp_path / "lab.json").write_text(json.dumps(lab_site(tmp_path)))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubectl").symlink_to("/bin/true")
    return tmp_path


def test_there_are_some_in_the_readme_and_in_docs() -> None:
    places = {piece.path.parts[0] for piece in CONFIGURATIONS}
    assert {"README.md", "docs"} <= places
    assert SETTINGS


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=str)
def test_it_is_formatted(fragment: Fragment) -> None:
    """With what `terraform fmt` makes of it."""
    done = subprocess.run(
        [terraform(), "fmt", "-"],
        input=fragment.text,
        env=os.environ | {"TF_CLI_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, fragment.text)


@pytest.mark.parametrize("fragment", CONFIGURATIONS, ids=str)
def test_it_can_be_applied(fragment: Fragment, folder: Path, rc: Path) -> None:
    for name, text in fragment.configuration().items():
        (folder / name).write_text(text)
    path = f"{folder}/bin:{os.environ['PATH']}"
    applied = run(folder, rc, "apply", "-auto-approve", PATH=path, HOME=str(folder))
    if is_opentofu() and "= provider::rpool::inventory" in fragment.text:
        assert "Self reference" in applied  # the page of requirements has what works there
        return
    assert applied.status == 0, applied.output
    assert "SIMULATED" in applied


@pytest.mark.parametrize("fragment", SETTINGS, ids=str)
def test_terraform_takes_these_settings(fragment: Fragment, tmp_path: Path) -> None:
    (tmp_path / "terraformrc").write_text(fragment.text)
    ran = run(tmp_path, tmp_path / "terraformrc", "version")
    assert ran.status == 0
    assert "CLI configuration" not in ran.output, ran.output
