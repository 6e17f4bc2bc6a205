"""One site file serves the provider block and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from protocol.plugin_process import LAUNCHER
from protocol.site_config import Expression, cluster
from protocol.workspace import Workspace
from rpool.model.generated_fleet import generated
from rpool.simulate import FILE_NAME

SITE = """
locals {
  site = yamldecode(file("site.yaml"))
}
"""


def test_what_terraform_makes_by_a_site_file_the_command_lists_by_the_same(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / FILE_NAME, provider=[str(LAUNCHER)])
    (tmp_path / "site.yaml").write_text("simulate: {}\nfleet_file: fleet.yaml\nowner: ann@desk\n")
    lines = [
        f"{name}: {{address: {server.address}, cores: {server.cores}, "
        f"memory: {server.memory_gib}, zone: {server.zone}}}"
        for name, server in generated(9).servers.items()
    ]
    (tmp_path / "fleet.yaml").write_text("\n".join(lines))
    values = {
        "simulate": {},
        "fleet": Expression("yamldecode(file(local.site.fleet_file))"),
        "owner": Expression("local.site.owner"),
    }
    workspace.write(site_values=values, more=SITE, batch=cluster())
    applied = workspace.apply()
    assert applied.status == 0, applied.output
    made = workspace.state()["attributes"]
    command = [sys.executable, "-m", "rpool", "list", "--json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    document = json.loads(ran.stdout)
    listed = document["clusters"][made["id"]]
    assert (listed["owner"], listed["condition"]) == ("ann@desk", "settled")
    assert listed["servers"].keys() == made["servers"].keys()
    assert document["servers"].keys() == generated(9).servers.keys()
