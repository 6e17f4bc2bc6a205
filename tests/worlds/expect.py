"""What tests expect of a stage when all is over."""

from __future__ import annotations

from collections.abc import Sequence

from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Phase
from rpool.model.pool import PoolSpec
from rpool.model.server import Role
from rpool.model.view import Condition, PoolView
from worlds.stage import Stage


def touched(stage: Stage) -> set[str]:
    """The servers that an action changed itself, and not through the API."""
    own = (act.TakeClaim, act.SetPhase, act.Prepare, act.Join, act.StepDown, act.Reset)
    return {action.server for action in stage.acted if isinstance(action, own)}


def kinds(actions: Sequence[Action], *wanted: type) -> list[str]:
    return [type(action).__name__ for action in actions if isinstance(action, wanted)]


def settled(stage: Stage, view: PoolView, spec: PoolSpec) -> None:
    """The cluster is what was asked for, by every account, and planning again gives nothing."""
    assert view.condition is Condition.SETTLED
    assert (view.cores, view.memory_gib) == (spec.cores, spec.memory_gib)
    assert view.allocated_cores >= spec.cores
    assert view.allocated_memory_gib >= spec.memory_gib
    control_planes = [n for n, server in view.servers.items() if server.role is Role.CONTROL_PLANE]
    assert len(control_planes) == spec.control_plane.servers
    assert {n for n in stage.claimed() if stage.machine(n).powered} <= set(view.servers)
    cluster = stage.machine(control_planes[0]).cluster
    assert cluster is not None
    assert set(cluster.members) == set(control_planes)
    assert set(cluster.nodes) == set(view.servers)
    assert not cluster.cordoned
    assert not cluster.tokens
    assert cluster.record is not None
    assert cluster.record.is_settled
    assert cluster.record.spec == spec
    assert set(cluster.record.members) == set(view.servers)
    for name in view.servers:
        claim = stage.machine(name).claim
        assert claim is not None
        assert claim.phase is Phase.MEMBER
    assert stage.site.read_pool(view).view == view
    again = stage.plan(view, spec, spec)
    assert (again.joining, again.leaving) == (frozenset(), frozenset())
    stage.acted.clear()
    groups = again.groups
    assert stage.site.change_pool(view, spec, again.roles, stage.attempt(), groups=groups) == view
    assert stage.acted == []
