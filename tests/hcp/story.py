"""What is promised of runs in HCP Terraform, as one story for modelled servers and for real ones.

A module that runs it has a fixture `told`. The tests build on each other: a run is cancelled by
force in the middle of a create, the next one is cancelled, the one after that makes the cluster.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hcp.workspace import CHANGES, DONE, SLUG, Moment, Workspace

LOCKED = "Error acquiring the state lock"
GOES_ON = "continues an interrupted create"


@dataclass(frozen=True)
class Told:
    """`claims`: what is on the servers that have one, by name. `grown`: variables of a larger
    cluster. `secret`: what may be in no state and no plan.
    """

    workspace: Workspace
    claims: Callable[[], Mapping[str, Mapping[str, Any]]]
    killed_at: Moment
    cancelled_at: Moment
    grown: Mapping[str, str]
    secret: str


class Runs:
    def test_a_run_that_is_cancelled_by_force_leaves_claims_and_no_state(self, told: Told) -> None:
        workspace = told.workspace
        planned = workspace.plan()
        assert planned.status == CHANGES, planned.output
        workspace.kill(planned, told.killed_at)
        assert {claim["owner"] for claim in told.claims().values()} == {SLUG}
        assert workspace.state.clusters == []
        assert workspace.state.lock is not None
        assert LOCKED in workspace.plan().output
        workspace.state.force_unlock()

    def test_one_that_is_cancelled_goes_on_as_far_as_it_must_and_ends(self, told: Told) -> None:
        planned = told.workspace.plan()
        assert planned.status == CHANGES, planned.output
        ended = told.workspace.cancel(planned, told.cancelled_at)
        assert ended.status == 1, ended.output
        assert "halted" in ended
        assert told.workspace.state.lock is None
        assert {claim["owner"] for claim in told.claims().values()} == {SLUG}

    def test_the_next_one_goes_on_by_itself(self, told: Told) -> None:
        claimed = set(told.claims())
        _, applied = told.workspace.run()
        assert GOES_ON in applied
        (cluster,) = told.workspace.state.clusters
        assert cluster["condition"] == "settled"
        assert set(cluster["servers"]) >= claimed
        assert_its_servers_alone_are_claimed(told)

    def test_the_plan_after_it_is_empty(self, told: Told) -> None:
        planned = told.workspace.plan()
        assert planned.status == DONE, planned.output

    def test_a_variable_changes_its_size(self, told: Told) -> None:
        (before,) = told.workspace.state.clusters
        told.workspace.variables |= told.grown
        planned, _ = told.workspace.run()
        (after,) = told.workspace.state.clusters
        joined = set(after["servers"]) - set(before["servers"])
        assert joined
        assert all(name in planned.output for name in joined)
        assert after["id"] == before["id"]
        assert_its_servers_alone_are_claimed(told)

    def test_a_run_that_destroys_gives_all_servers_back(self, told: Told) -> None:
        told.workspace.run("-destroy")
        assert told.workspace.state.clusters == []
        assert told.claims() == {}

    def test_the_key_is_in_no_state_and_no_plan(self, told: Told) -> None:
        kept = [*told.workspace.state.told, *map(unpacked, told.workspace.plans)]
        assert len(told.workspace.plans) >= 4
        assert told.workspace.state.told
        assert not [content for content in kept if told.secret.encode() in content]


def unpacked(plan: bytes) -> bytes:
    """The content of a saved plan, which is a compressed zip file."""
    with zipfile.ZipFile(io.BytesIO(plan)) as archive:
        return b"".join(map(archive.read, archive.namelist()))


def assert_its_servers_alone_are_claimed(told: Told) -> None:
    (cluster,) = told.workspace.state.clusters
    claims = {name: (claim["uid"], claim["phase"]) for name, claim in told.claims().items()}
    assert claims == dict.fromkeys(cluster["servers"], (cluster["id"], "member"))
