"""Attacks: what only Terraform knows of is set while the cluster is not well."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from fault.terraform import cluster_config
from following import Desk, with_cluster
from test_repair import die, of, planned
from worlds.stage import SPEC

from rpool.errors import RpoolError
from rpool.model.pool import Repair, RepairMode
from rpool.model.server import Role
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.resource import Held, Values


def sets(desk: Desk, **settings: Any) -> Values:
    """Applies with these set; returns what is in the state then."""
    desk.stage.open()
    site = desk.stage.site
    refreshed = Cluster().read(desk.state.clusters["batch"].held, site)
    config = cluster_config(SPEC) | settings
    plan = Cluster().plan(refreshed.held, config, site)
    try:
        held = (
            Cluster()
            .update(refreshed.held, Held(plan.values, plan.private), site, threading.Event())
            .held
        )
    except RpoolError as error:
        print(error, error.detail)
        held = refreshed.held
    assert held.values is not None
    desk.state.clusters["batch"].held = held
    return held.values


ABANDON = {"on_unreachable": "abandon"}


def no_api(desk: Desk) -> None:
    die(desk, *of(desk, Role.CONTROL_PLANE)[-2:])


def braked(desk: Desk) -> None:
    die(desk, *of(desk, Role.WORKER)[-2:])


@pytest.mark.parametrize("ill", [no_api, braked])
def test_abandon_can_be_set_while_members_are_dead(ill: Any) -> None:
    desk = with_cluster()
    ill(desk)
    assert sets(desk, destroy=ABANDON)["destroy"] == ABANDON


@pytest.mark.parametrize("ill", [no_api, braked])
def test_protection_can_be_taken_off_while_members_are_dead(ill: Any) -> None:
    desk = with_cluster()
    sets(desk, deletion_protection=True)
    ill(desk)
    assert sets(desk, deletion_protection=False)["deletion_protection"] is False


def test_an_imported_cluster_is_repaired() -> None:
    desk = with_cluster()
    die(desk, of(desk, Role.WORKER)[-1])
    uid = desk.view().uid
    del desk.state.clusters["batch"]
    desk.imports(uid)
    desk.is_whole()


def test_a_node_that_is_dead_is_not_said_to_answer() -> None:
    from test_attacked_recover import node

    desk = with_cluster(count=14)
    dead = node(desk)
    die(desk, dead)
    assert "answers by SSH" not in planned(desk)[2]


def test_two_sick_control_planes_keep_two_others() -> None:
    from test_repair import LONG, TWO

    from rpool.model.action import Join, RemoveEtcdMember

    desk = with_cluster(TWO)
    sick = of(desk, Role.CONTROL_PLANE)[-2:]
    for name in sick:
        desk.stage.machine(name).fall_sick("disk", LONG)
    desk.stage.acted.clear()
    desk.apply()
    members, fewest = 3, 3
    order = []
    for action in desk.stage.acted:
        if isinstance(action, RemoveEtcdMember):
            members -= 1
        elif isinstance(action, Join) and action.control_plane:
            members += 1
        else:
            continue
        order.append((type(action).__name__, action.server))
        fewest = min(fewest, members)
    assert fewest == 2, order


def test_a_mode_that_becomes_warn_does_not_say_settled() -> None:
    desk = with_cluster()
    die(desk, of(desk, Role.WORKER)[-1])
    desk.write(replace(SPEC, repair=Repair(mode=RepairMode.WARN)))
    _, plan, _ = planned(desk)
    assert plan.values is not None
    assert plan.values["condition"] != "settled"
