"""Given as people are told to give it, the SSH key is nowhere after a plan and an apply."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from protocol.plugin_process import CHECKOUT, LAUNCHER
from protocol.site_config import PRIVATE_KEY, Expression, cluster, site
from protocol.workspace import Workspace, unpacked


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


SECRET = PRIVATE_KEY.splitlines()[1]


def where_the_key_is(workspace: Workspace, variable: str) -> list[str]:
    """What has the key after a plan, a show and an apply with it in a variable of this kind."""
    ssh = {"ssh": {"private_key": Expression("var.ssh_key")}}
    declared = f'variable "ssh_key" {{\n  type = string\n  {variable}\n}}\n'
    workspace.write(more=declared, site_values=site() | ssh, batch=cluster())
    texts = workspace.left_behind(TF_VAR_ssh_key=PRIVATE_KEY)
    return [where for where, text in texts.items() if SECRET in text]


def test_the_private_key_is_in_no_state_plan_log_or_output(workspace: Workspace) -> None:
    assert where_the_key_is(workspace, "ephemeral = true") == []


def test_a_variable_that_is_only_sensitive_would_be_in_saved_plans(workspace: Workspace) -> None:
    """Why the README has an ephemeral one; and that the test before this one would find a key."""
    assert where_the_key_is(workspace, "sensitive = true") == ["saved plan", "saved plan in JSON"]


def examples() -> dict[str, str]:
    """Each file that shows people a configuration."""
    files = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
    files += sorted((CHECKOUT / "examples").rglob("*.tf"))
    return {str(path.relative_to(CHECKOUT)): path.read_text() for path in files}


def test_whoever_copies_an_example_has_no_key_in_a_saved_plan() -> None:
    texts = examples()
    declared = re.compile(r'variable "ssh_key" \{[^}]*ephemeral\s*=\s*true')
    assert declared.search(texts["README.md"])
    assert declared.search(texts["examples/terraform/one-cluster/variables.tf"])
    for name, text in texts.items():
        if re.search(r"var\.ssh_key\b", text):
            beside = [t for n, t in texts.items() if Path(n).parent == Path(name).parent]
            assert any(map(declared.search, beside)), name


@pytest.mark.parametrize("given", ["variable", "file"])
def test_the_example_takes_a_key_from_a_variable_or_a_file(tmp_path: Path, given: str) -> None:
    """With the modelled servers of the checkout's own provider."""
    example = CHECKOUT / "examples/terraform/one-cluster"
    for path in example.glob("*.tf"):
        shutil.copy(path, tmp_path)
    (tmp_path / "fleet.yaml").write_text(json.dumps(site()["fleet"]))
    (tmp_path / "key").write_text(PRIVATE_KEY)
    settings = {
        "simulated": True,
        "fleet_file": "fleet.yaml",
        "api_vip": "10.0.0.200",
        "service_addresses": ["10.0.0.210-10.0.0.230"],
        "selector": {"labels": {}},
        **({"ssh_key_file": "key"} if given == "file" else {}),
    }
    (tmp_path / "site.auto.tfvars.json").write_text(json.dumps(settings))
    workspace = Workspace(tmp_path, tmp_path / "world", provider=[str(LAUNCHER)])
    key = {"TF_VAR_ssh_key": PRIVATE_KEY} if given == "variable" else {}
    planned = workspace.run("plan", "-no-color", "-out=plan", **key)
    assert planned.status == 0, planned.output
    assert SECRET not in unpacked(tmp_path / "plan")
    applied = workspace.run("apply", "-no-color", "plan", **key)
    assert applied.status == 0, applied.output
