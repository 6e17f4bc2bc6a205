"""A process that serves many commands, as `terraform test` of 1.13 has one for all runs of a file:
it is configured once, and nothing is validated before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.cluster_calls import Calls, errors, values
from protocol.plugin_process import LAUNCHER, PluginProcess, simulated
from protocol.site_config import cluster
from protocol.workspace import Workspace
from rpool.simulate import FILE_NAME

SMALL = {"cores": 8, "memory": 32}
LARGE = {"cores": 40, "memory": 160}
"""With one control plane this takes the six servers of the site."""


class Runs:
    """The calls of one run after another, and the state that they pass on."""

    def __init__(self, plugin: PluginProcess) -> None:
        self._calls = Calls(plugin, validates=False)
        self._held: dict[str, tuple[Any, bytes]] = {}

    def plan(self, name: str, **wanted: Any) -> list[str]:
        """Refresh and plan, without an apply. Returns the errors."""
        if name in self._held:
            read = self._calls.read(*self._held[name])
            self._held[name] = read.new_state, read.private
        return errors(self._planned(name, wanted, in_apply=False))

    def apply(self, name: str, **wanted: Any) -> set[str]:
        """Plan, plan again, apply. Returns the cluster's servers afterwards."""
        assert self.plan(name, **wanted) == []
        again = self._planned(name, wanted, in_apply=bool(wanted))  # not of a destroy
        prior = self._held.get(name, (None,))[0]
        made = self._calls.apply(again.planned_state, prior, again.planned_private)
        assert errors(again) + errors(made) == []
        state = values(made.new_state)
        self._held[name] = made.new_state, made.private
        if state is None:
            del self._held[name]
        return set(state["servers"] if state else ())

    def _planned(self, name: str, wanted: Any, *, in_apply: bool) -> Any:
        """Nothing wanted is a destroy."""
        vip = {"vip": {"a": "10.0.0.201", "b": "10.0.0.202"}[name]}
        one = {"name": name, "control_plane": {"servers": 1, "endpoint": vip}}
        config = cluster(**one, **wanted) if wanted else None
        held = self._held.get(name, (None, b""))
        return self._calls.plan_beside(config, *held, in_apply=in_apply)


@pytest.fixture
def runs(world_file: Path) -> Iterator[Runs]:
    with PluginProcess(simulated(world_file)) as process:
        yield Runs(process)


def test_one_cluster_that_is_planned_by_each_run_is_one(runs: Runs) -> None:
    assert runs.plan("a", **SMALL) == []
    assert runs.plan("a", **LARGE) == []
    before = runs.apply("a", **SMALL)
    assert runs.plan("a", **SMALL, deletion_protection=True) == []
    assert runs.apply("a", **LARGE) > before


def test_a_plan_sees_what_an_apply_before_it_has_given_back(runs: Runs) -> None:
    runs.apply("a", **SMALL)
    runs.apply("b", **SMALL)
    assert "does not fit" in runs.plan("a", **LARGE)[0]  # it has looked at the servers of b
    assert runs.apply("b") == set()
    assert len(runs.apply("a", **LARGE)) == 6


def test_two_of_one_name_are_told_by_the_apply(world_file: Path) -> None:
    with PluginProcess(simulated(world_file)) as process:
        calls = Calls(process, validates=False)
        first, second = calls.plan_beside(cluster()), calls.plan_beside(cluster())
        assert errors(first) + errors(second) == []
        assert errors(calls.apply(first.planned_state)) == []
        (refused,) = errors(calls.apply(second.planned_state))
    assert "cluster batch already exists" in refused


MODULE = """
variable "cores" {
  type = number
}
resource "rpool_cluster" "team" {
  name               = "team"
  kubernetes_version = "1.36.3"
  cores              = var.cores
  memory             = 4 * var.cores
  control_plane {
    servers = 1
    endpoint {
      vip = "10.0.1.200"
    }
  }
}
"""
TESTS = """
provider "rpool" {
  simulate {
    servers = 12
  }
}
"""
RUN = """
run "%s" {
  command = %s
  variables {
    cores = %d
  }
}
"""


def test_runs_of_one_file_plan_make_and_change_a_cluster(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / FILE_NAME, provider=[str(LAUNCHER)])
    workspace.write(site_values={"simulate": {"servers": 12}}, more=MODULE)
    wanted = [("plan", 48), ("plan", 64), ("apply", 64), ("apply", 32), ("apply", 64)]
    runs = [RUN % (f"number_{n}", *run) for n, run in enumerate(wanted)]
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/team.tftest.hcl").write_text(TESTS + "".join(runs))
    ran = workspace.run("test", "-no-color")
    assert "Success! 5 passed, 0 failed." in ran, ran.output
