"""Each Terraform and OpenTofu that rpool is tested with goes on with the state of each other."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import pytest
from lab.cache import default_cache
from lab.packages.go_modules import Program
from lab.terraform import EVERY, every, version

from protocol.site_config import cluster, server, site
from protocol.workspace import Workspace

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

SITE = site() | {"fleet": site()["fleet"] | {"g1": server(20, reserved=True)}}
NODE = 'resource "rpool_node" "gpu" {\n  cluster = rpool_cluster.batch.id\n  server  = "g1"\n}\n'
OPENTOFUS_NAME = "registry.opentofu.org/resource-pool/rpool"


@pytest.fixture(scope="module")
def commands() -> dict[str, str]:
    """The commands by the keys of EVERY."""
    return dict(zip((program.key for program in EVERY), every(default_cache()), strict=True))


@pytest.mark.parametrize(
    ("first", "second"), list(permutations(EVERY, 2)), ids=lambda program: program.key
)
def test_what_one_has_made_another_changes_and_gives_back(
    tmp_path: Path, world_file: Path, commands: dict[str, str], first: Program, second: Program
) -> None:
    """Terraform has to be told that OpenTofu's name of the provider is one of its own."""
    one = Workspace(tmp_path, world_file).run_by(commands[first.key])
    other = one.run_by(commands[second.key])
    one.write(site_values=SITE, more=NODE, batch=cluster())
    applied = one.apply()
    assert applied.status == 0, applied.output
    if first.name == "opentofu":
        named = ("replace-provider", "-auto-approve", OPENTOFUS_NAME, "resource-pool/rpool")
        renamed = other.run("state", *named)
        assert renamed.status == 0, renamed.output
    taken_over = other.plan()
    assert taken_over.status == 0, taken_over.output
    other.write(site_values=SITE, more=NODE, batch=cluster(cores=24, memory=96))
    grown = other.apply()
    assert "0 added, 1 changed, 0 destroyed" in grown, grown.output
    assert other.plan().status == 0
    resources = json.loads((tmp_path / "terraform.tfstate").read_text())["resources"]
    known = [resource["type"] for resource in resources if resource["instances"][0].get("identity")]
    knows = version(commands[second.key]) >= (1, 12)
    assert sorted(known) == (["rpool_cluster", "rpool_node"] if knows else [])
    gone = other.destroy()
    assert gone.status == 0, gone.output
    assert json.loads((tmp_path / "terraform.tfstate").read_text())["resources"] == []
