"""Attacks on the repair of members."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from following import Desk, with_cluster
from test_repair import LONG, TWO, WARN, carry_out, die, is_empty, of, one_of, planned
from worlds.stage import BIGGER, FIVE, ONE, SMALLER, SPEC

from rpool.model.pool import Repair
from rpool.model.server import Role
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.resource import Held, Values
from rpool_provider.wire.unknown import UNKNOWN


def consistent(planned: Any, actual: Any, at: str = "") -> list[str]:
    """Where Terraform would say "Provider produced inconsistent result after apply"."""
    if planned is UNKNOWN:
        return []
    if isinstance(planned, dict) and isinstance(actual, dict):
        if planned.keys() != actual.keys():
            return [f"{at}: {sorted(planned)} and {sorted(actual)}"]
        return [x for k in planned for x in consistent(planned[k], actual[k], f"{at}.{k}")]
    return [] if planned == actual else [f"{at}: {planned} and {actual}"]


def applied(desk: Desk) -> str:
    """Plan, plan again as the apply does in another process, apply, compare. Returns errors."""
    before, plan, _ = planned(desk)
    config = __import__("fault.terraform").terraform.cluster_config(desk.wanted.clusters["batch"])
    desk.stage.open()
    site = desk.stage.site
    site.config = replace(site.config, owner=desk.owner)
    final = Cluster().plan(Held(before, desk_private(desk, before)), config, site)
    assert final.values is not None
    assert plan.values is not None
    assert consistent(plan.values, final.values) == [], "inconsistent final plan"
    if final.values == before:
        return ""
    from rpool.errors import RpoolError

    try:
        reply = Cluster().update(
            Held(before, final.private), Held(final.values, final.private), site, threading.Event()
        )
    except RpoolError as error:
        return f"{error}\n{error.detail}"
    desk.state.clusters["batch"].held = reply.held
    errors = [f"{d.summary}\n{d.detail}" for d in reply.diagnostics if d.is_error]
    if not errors:
        assert consistent(final.values, reply.held.values) == [], "inconsistent result"
    return "\n".join(errors)


def desk_private(desk: Desk, before: Values) -> bytes:
    """The private data of the last read, which `planned` made anew."""
    site = desk.stage.site
    return Cluster().read(desk.state.clusters["batch"].held, site).held.private


def test_a_retiring_server_that_dies_is_replaced() -> None:
    desk = with_cluster()
    dead = one_of(desk, Role.WORKER)
    desk.mark(dead, retire=True)
    die(desk, dead)
    text = planned(desk)[2]
    assert "lost" in text
    desk.is_whole()
    assert dead not in desk.view().servers


def test_who_fell_sick_and_died_before_the_apply_is_not_said_to_lack_a_spare() -> None:
    desk = with_cluster()
    sick = one_of(desk, Role.WORKER)
    desk.stage.machine(sick).fall_sick("kubelet", LONG)
    before, plan, _ = planned(desk)
    die(desk, sick)
    desk.stage.open()
    text = carry_out(desk, before, plan)
    assert sick in text
    assert "No free server can take its place" not in text
    assert "add servers to the fleet" not in text


def test_a_brake_that_is_lifted_before_the_apply_is_not_said_to_lack_a_spare() -> None:
    desk = with_cluster()
    one, two = of(desk, Role.WORKER)[-2:]
    die(desk, one, two)
    before, plan, _ = planned(desk)
    desk.power(two, on=True)
    desk.stage.open()
    text = carry_out(desk, before, plan)
    assert "No free server can take its place" not in text


def test_a_brake_holds_also_those_whose_nodes_were_deleted() -> None:
    desk = with_cluster(BIGGER, count=16)
    dead = of(desk, Role.WORKER)[-3:]
    die(desk, *dead)
    cluster = desk.stage.cluster(desk.view())
    for name in dead:
        cluster.delete_node(name)
    desk.apply()
    assert set(dead) <= desk.view().servers.keys()


SPECS = {
    "same": SPEC,
    "bigger": BIGGER,
    "smaller": SMALLER,
    "warn": WARN,
    "two": TWO,
    "long grace": replace(SPEC, repair=Repair(grace_seconds=3600)),
    "short grace": replace(SPEC, repair=Repair(grace_seconds=30)),
    "bigger warn": replace(BIGGER, repair=WARN.repair),
    "smaller warn": replace(SMALLER, repair=WARN.repair),
    "bigger two": replace(BIGGER, repair=TWO.repair),
    "smaller two": replace(SMALLER, repair=TWO.repair),
    "one": ONE,
    "five": FIVE,
}
STARTS = {"plan": SPEC, "warn": WARN, "two": TWO}
ILLS = ["dead worker", "dead plane", "sick worker", "broken plane", "both", "two dead", "deleted"]


@pytest.mark.parametrize("count", [6, 16])
@pytest.mark.parametrize("start", ["plan"])
@pytest.mark.parametrize("to", SPECS)
@pytest.mark.parametrize("ill", ILLS)
def test_what_is_planned_of_it_comes_and_in_the_end_all_is_well(
    start: str, to: str, ill: str, count: int
) -> None:
    if count < 7 and ("bigger" in to or to == "five"):
        return
    desk = with_cluster(STARTS[start], count=count)
    workers, control_planes = of(desk, Role.WORKER), of(desk, Role.CONTROL_PLANE)
    if ill in ("dead worker", "both", "two dead", "deleted"):
        die(desk, workers[-1])
    if ill == "two dead":
        die(desk, workers[-2])
    if ill == "dead plane":
        die(desk, control_planes[-1])
    if ill == "both":
        desk.stage.machine(workers[-2]).fall_sick("disk", LONG)
    if ill == "sick worker":
        desk.stage.machine(workers[-1]).fall_sick("kubelet", LONG)
    if ill == "broken plane":
        desk.stage.machine(control_planes[0]).fall_sick("disk", LONG)
    if ill == "deleted":
        desk.stage.cluster(desk.view()).delete_node(workers[-1])
    desk.write(SPECS[to])
    for _ in range(3):
        errors = applied(desk)
    if not errors:
        assert is_empty(desk)
    for machine in desk.stage.world.machines.values():
        machine.give_power()
        machine.sick, machine.down_since = "", 0.0
    for _ in range(3):
        if not (errors := applied(desk)):
            break
    assert not errors
    desk.is_whole()


def test_three_sick_control_planes_of_five_come_anew_one_by_one() -> None:
    desk = with_cluster(replace(FIVE, repair=Repair(max_lost=3)), count=16)
    for name in of(desk, Role.CONTROL_PLANE)[-3:]:
        desk.stage.machine(name).fall_sick("disk", LONG)
    desk.is_whole()
