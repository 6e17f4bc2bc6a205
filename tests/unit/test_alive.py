"""A living cluster is not taken for dead or gone when it has lost its claims, its record, or its
entries in the fleet. Nothing of it is reset, and no import makes it something to destroy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from worlds.fault import Fault, Observe
from worlds.stage import SPEC, Stage, killed, made, with_role

from rpool.api import NodeRequest
from rpool.errors import CommandFailed, Refused, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.pool import NodeSpec
from rpool.model.server import Fleet, Role
from rpool.model.view import PoolView
from rpool_provider.resources.cluster import Cluster

NODE = "r3u11"
ONE = replace(SPEC, control_plane=replace(SPEC.control_plane, servers=1))


def pinned(control_planes: int = 3) -> tuple[Stage, PoolView]:
    stage = Stage(12)
    stage.mark(NODE, reserved=True)
    view = stage.site.create_pool(SPEC if control_planes > 1 else ONE, stage.attempt())
    stage.site.pin_node(NodeRequest(view.uid, NODE, NodeSpec()), stage.attempt())
    stage.acted.clear()
    return stage, view


def lacks(stage: Stage, *names: str) -> None:
    """The provider's fleet has no entry for these."""
    fleet = stage.site.config.fleet.servers
    stage.open(Fleet({name: server for name, server in fleet.items() if name not in names}))


def only_claim_lost(stage: Stage, view: PoolView) -> None:
    stage.machine(view.control_planes[0]).claim = None


def one_claim_lost_others_marked(stage: Stage, view: PoolView) -> None:
    first, *others = view.control_planes
    stage.machine(first).claim = None
    for name in others:
        stage.machine(name).powered = False
        stage.mark(name, lost=True)


def no_entries(stage: Stage, view: PoolView) -> None:
    lacks(stage, *view.control_planes)


@pytest.mark.parametrize("api", ["serves", "restarts"])
@pytest.mark.parametrize(
    ("control_planes", "harm"),
    [(1, only_claim_lost), (3, one_claim_lost_others_marked), (3, no_entries)],
)
def test_a_node_is_not_reset_under_a_cluster_that_cannot_be_recognised(
    control_planes: int, harm: Callable[[Stage, PoolView], None], api: str
) -> None:
    stage, view = pinned(control_planes)
    harm(stage, view)
    stage.open()  # the apply's process has read nothing before
    restarts = Fault(Observe, CommandFailed("refused"), sure=False)
    with stage.faults(*([restarts] if api == "restarts" else [])), pytest.raises(RpoolError):
        stage.site.unpin_node(view.uid, NODE, stage.attempt())
    assert not [action for action in stage.acted if isinstance(action, act.Reset)]


def test_a_node_whose_entry_is_gone_too_is_an_error_that_names_it() -> None:
    stage, view = pinned()
    for name in view.control_planes:
        stage.machine(name).powered = False
        stage.mark(name, lost=True)
    lacks(stage, NODE)
    with pytest.raises(Refused, match=f"has {NODE}, which the fleet does not have"):
        stage.site.unpin_node(view.uid, NODE, stage.attempt())


def deleted_record(stage: Stage, view: PoolView) -> None:
    stage.cluster(view).record = None


@pytest.mark.parametrize("harm", [no_entries, deleted_record])
def test_a_living_cluster_is_not_imported_as_remains(
    harm: Callable[[Stage, PoolView], None],
) -> None:
    """The next apply would replace it: that is, reset its servers."""
    stage, view = pinned()
    harm(stage, view)
    stage.open()
    with pytest.raises(Unreachable, match="its API answers on none of them") as caught:
        Cluster().import_(view.uid, stage.site)
    assert "Bring its control planes back" in caught.value.detail
    assert "apply the rpool_cluster that made it" in caught.value.detail


def test_another_site_with_the_same_names_is_not_the_cluster_s() -> None:
    _, view = made(12)
    other = Stage(12)
    fleet = other.site.config.fleet.servers
    moved = {
        n: replace(server, address=server.address.replace("10.0.", "10.9."))
        for n, server in fleet.items()
    }
    other.open(Fleet(moved))
    with pytest.raises(Refused, match="the fleet does not have at the address that it had"):
        other.site.read_pool(view)


# -- and what is dead is given back ------------------------------------------------------------


def test_what_a_create_had_claimed_since_its_record_is_given_back_too() -> None:
    """It was killed as it claimed a server in place of one that had failed."""
    stage = Stage(12)
    bad: list[str] = []

    def first_worker(action: act.Prepare) -> bool:
        if stage.machine(action.server).claim.role is Role.WORKER and not bad:  # type: ignore[union-attr]
            bad.append(action.server)
        return action.server in bad

    full = Fault(act.Prepare, CommandFailed("disk is full"), where=first_worker)
    with stage.faults(full), killed(stage, act.TakeClaim, first=6):
        stage.site.create_pool(SPEC, stage.attempt())
    (uid,) = {machine.claim.uid for machine in stage.world.machines.values() if machine.claim}
    stage.open()
    imported = Cluster().import_(uid, stage.site)
    stage.open()
    deleted = Cluster().delete(imported.held, stage.site, threading.Event())
    assert deleted.held.values is None
    assert stage.claimed() == set()


def test_remains_with_a_control_plane_that_has_lost_its_quorum_go_by_the_operator_s_word() -> None:
    stage = Stage(12)
    with killed(stage, act.Join, where=lambda join: join.control_plane):
        stage.site.create_pool(SPEC, stage.attempt())
    (uid,) = {machine.claim.uid for machine in stage.world.machines.values() if machine.claim}
    cluster = next(machine.cluster for machine in stage.world.machines.values() if machine.cluster)
    first, second = cluster.members
    stage.machine(first).powered = False
    stage.mark(first, lost=True)
    with pytest.raises(Unreachable) as caught:
        Cluster().import_(uid, stage.site)
    assert "lost = true" in caught.value.detail
    stage.mark(second, lost=True)
    imported = Cluster().import_(uid, stage.site).held
    deleted = Cluster().delete(imported, stage.site, threading.Event())
    assert deleted.held.values is None
    assert stage.claimed() == {first}  # without power: its claim is not seen


def test_a_node_whose_end_was_cut_off_at_its_record_is_whole() -> None:
    """Nothing but the record was written: the node itself is as it was."""
    stage, view = pinned()
    with killed(stage, act.WriteRecord):
        stage.site.unpin_node(view.uid, NODE, stage.attempt())
    assert not stage.site.read_node(view.uid, NODE).incomplete
    stage.site.pin_node(NodeRequest(view.uid, NODE, NodeSpec()), stage.attempt())
    stage.open()
    node = stage.site.read_node(view.uid, NODE)
    assert (node.spec, node.incomplete) == (NodeSpec(), False)


def test_workers_reach_their_api_while_it_has_its_quorum() -> None:
    stage, view = made(9)
    worker = with_role(view, Role.WORKER)[0]
    assert stage.world.reaches_api(worker)
    for name in view.control_planes[:2]:
        stage.machine(name).powered = False
    assert not stage.world.reaches_api(worker)
