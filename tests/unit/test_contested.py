"""Clusters that grow in one plan, where only one server does for two of them."""

from __future__ import annotations

from dataclasses import replace

from worlds.stage import SPEC, Stage

from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.view import PoolView
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.cluster_state import configuration, with_view
from rpool_provider.resources.resource import Held

NONE = dict.fromkeys(attribute.name for attribute in CLUSTER.root.attributes)


def a_cluster(name: str, vip: str, cores: int = 8) -> PoolSpec:
    control_plane = ControlPlane(1, Endpoint(vip=vip))
    more = {
        "control_plane": control_plane,
        "cores": cores,
        "memory_gib": 2 * cores,
        "metallb_pools": {},
    }
    return replace(SPEC, name=name, **more)  # type: ignore[arg-type]


def grown(stage: Stage, resource: Cluster, spec: PoolSpec, view: PoolView) -> str:
    """All that the plan of a growth by one worker warns of."""
    held = Held(with_view({**NONE, **configuration(spec)}, view))
    read = resource.read(held, stage.site)
    bigger = replace(spec, cores=spec.cores + 8, memory_gib=spec.memory_gib + 16)
    plan = resource.plan(read.held, {**NONE, **configuration(bigger)}, stage.site)
    return "\n".join(
        f"{diagnostic.summary}\n{diagnostic.detail}" for diagnostic in plan.diagnostics
    )


def two_clusters(count: int) -> tuple[Stage, list[tuple[PoolSpec, PoolView]]]:
    stage = Stage(count)
    specs = [a_cluster("one", "10.0.1.201"), a_cluster("two", "10.0.1.202")]
    clusters = [(spec, stage.site.create_pool(spec, stage.attempt())) for spec in specs]
    stage.open()
    return stage, clusters


def test_the_plan_says_who_else_is_to_get_the_server() -> None:
    stage, ((one, first), (two, second)) = two_clusters(6)
    (spare,) = {
        name
        for name, server in stage.site.config.fleet.servers.items()
        if server.cores == 8 and name not in stage.claimed()
    }
    resource = Cluster()
    warnings = grown(stage, resource, one, first)
    assert f"Joining: {spare}." in warnings
    assert "also planned" not in warnings
    warnings = grown(stage, resource, two, second)
    assert f"Joining: {spare}." in warnings
    assert f"{spare} is also planned for cluster one:" in warnings


def test_clusters_that_each_have_one_of_their_own_say_nothing() -> None:
    stage, clusters = two_clusters(7)
    resource = Cluster()
    warnings = [grown(stage, resource, spec, view) for spec, view in clusters]
    assert all("1 server joins" in text for text in warnings)
    assert not any("also planned" in text for text in warnings)
