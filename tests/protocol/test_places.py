"""The line of a configuration that Terraform shows with an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.site_config import Expression, cluster, server, site
from protocol.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    return Workspace(tmp_path, world_file)


def shown(workspace: Workspace) -> tuple[str, str]:
    """The summary of the one error of validate, and the line that it points to."""
    (error,) = workspace.errors()
    number = error["range"]["start"]["line"]
    lines = (workspace.folder / "main.tf").read_text().splitlines()
    return error["summary"], lines[number - 1].strip()


@pytest.mark.parametrize(
    ("change", "summary", "line"),
    [
        ({"name": "No_Label"}, "name: ", "name ="),
        (
            {"control_plane": {"servers": 2, "endpoint": {"vip": "10.0.0.200"}}},
            "control_plane.servers: ",
            "servers = 2",
        ),
        (
            {"control_plane": {"servers": 1, "endpoint": {"vip": "x"}}},
            "control_plane.endpoint.vip: ",
            'vip = "x"',
        ),
        (
            {"control_plane": {"servers": 1, "endpoint": {}}},
            "endpoint needs exactly one of vip and address",
            "endpoint {",
        ),
        ({"networking": {"pod_cidr": "x"}}, "networking.pod_cidr: ", "pod_cidr ="),
        ({"metallb": {"pools": {"a": ["x"]}}}, "metallb.pools.a.0: ", "pools ="),
        ({"timeouts": {"create": "soon"}}, "timeouts.create: ", "create ="),
        ({"drain": {"timout": "30m"}}, "Unsupported argument", "timout ="),
        ({"servers": {"s1": {}}}, "servers is set by the provider", "servers ="),
    ],
)
def test_an_error_inside_an_attribute_shows_the_attributes_line_and_names_the_whole_path(
    workspace: Workspace, change: dict[str, Any], summary: str, line: str
) -> None:
    workspace.write(batch=cluster(**change))
    text, place = shown(workspace)
    assert text.startswith(summary)
    assert place.startswith(line)


def fleet(*servers: dict[str, Any]) -> Expression:
    """A fleet with a line a server."""
    lines = [f"s{number} = {json.dumps(entry)}" for number, entry in enumerate(servers, 1)]
    return Expression("\n".join(["{", *lines, "}"]))


@pytest.mark.parametrize(
    ("second", "summary"),
    [
        (server(2, cores=0), "fleet.s2.cores must be at least 1"),
        (server(2, labels={"a b": "c"}), "fleet.s2.labels.a b: "),
        (server(2) | {"host_key": None}, "host_key is missing for s2"),
        (server(2) | {"address": server(1)["address"]}, "fleet.s2.address: servers s1 and s2 have"),
    ],
)
def test_an_error_about_a_server_shows_its_own_line_of_the_fleet(
    workspace: Workspace, second: dict[str, Any], summary: str
) -> None:
    workspace.write(
        site_values=site() | {"fleet": fleet(server(1), second, server(3))}, batch=cluster()
    )
    text, place = shown(workspace)
    assert text.startswith(summary)
    assert place.startswith("s2 = ")


def test_an_error_about_a_server_from_elsewhere_shows_where_the_fleet_is_given(
    workspace: Workspace,
) -> None:
    more = f"locals {{\n  fleet = {fleet(server(1), server(2, cores=0))}\n}}"
    workspace.write(
        site_values=site() | {"fleet": Expression("local.fleet")}, more=more, batch=cluster()
    )
    assert shown(workspace) == ("fleet.s2.cores must be at least 1", "fleet = local.fleet")


def test_an_error_about_a_label_of_a_node_shows_its_line(workspace: Workspace) -> None:
    node = """
resource "rpool_node" "gpu" {
  cluster = "0863513a9c41d07e"
  server  = "s1"
  labels = {
    good  = "x"
    "a b" = "x"
  }
  taint {
    key    = "gpu"
    effect = "Never"
  }
}
"""
    workspace.write(more=node)
    errors = workspace.errors()
    lines = (workspace.folder / "main.tf").read_text().splitlines()
    places = {lines[e["range"]["start"]["line"] - 1].strip(): e["summary"] for e in errors}
    assert places == {
        '"a b" = "x"': 'labels.a b: "a b" is not a Kubernetes label key',
        'resource "rpool_node" "gpu" {': "taint.0.effect: "  # Terraform tells no taint from another
        '"Never" is not one of NoSchedule, PreferNoSchedule or NoExecute',
    }
