"""Advice about servers that a disruption budget keeps in their cluster, followed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from following import follows, read
from test_advice_nodes import GPU, SERVER, with_node
from worlds.fault import Fault
from worlds.stage import BIGGER, SPEC

from rpool.advice import Do
from rpool.errors import NotDrained
from rpool.model import action as act
from rpool.model.action import Budgets
from rpool.model.pool import DrainPolicy, OnTimeout

PATIENT = 1200
POLICIES = {
    "evicted": DrainPolicy(on_timeout=OnTimeout.EVICT_ANYWAY),
    "awaited": DrainPolicy(timeout_seconds=PATIENT),
}


def budget(*servers: str) -> Fault:
    """A disruption budget that keeps pods on these servers, unless a drain overrides it or waits
    PATIENT seconds.
    """

    def keeps(action: act.Drain) -> bool:
        hasty = action.timeout_seconds < PATIENT
        return action.budgets is Budgets.RESPECTED and hasty and bool({*action.nodes} & {*servers})

    why = "shop/web-0 is left there: budget shop/web allows none to go"
    return Fault(act.Drain, NotDrained("draining it failed", why), where=keeps)


@pytest.mark.parametrize("leaver", [SERVER, "a worker"])
@pytest.mark.parametrize("way", ["allowed", *POLICIES])
@follows(Do.LET_DRAIN)
def test_a_server_that_a_budget_does_not_let_go(way: str, leaver: str) -> None:
    desk = with_node()
    if leaver != SERVER:
        desk.write(BIGGER, **{SERVER: ("batch", GPU)})
        desk.succeeds()
    before = desk.workers()
    kept = {SERVER: ("batch", GPU)} if leaver != SERVER else {}
    with desk.stage.faults(budget(SERVER, *before)):
        desk.write(SPEC, **kept)
        errors = desk.refused()
        read(Do.LET_DRAIN, errors)
        assert "could not be drained within 600 s" in errors
        assert "budget shop/web allows none to go" in errors
        assert "stays a member" in errors
        if way != "allowed":
            spec = replace(SPEC, drain=POLICIES[way])
            desk.write(spec, **{SERVER: ("batch", GPU)})
            assert "could not be" not in desk.apply()
            desk.write(spec, **kept)
            desk.succeeds()
    desk.succeeds()


@follows(Do.NODE_FIRST, 2)
def test_a_cluster_that_goes_and_whose_node_no_state_has_and_a_budget_keeps() -> None:
    desk = with_node()
    uid = desk.view().uid
    with desk.stage.faults(budget(SERVER)):
        desk.write()
        read(Do.LET_DRAIN, desk.refused())
        del desk.state.nodes[SERVER]
        read(Do.NODE_FIRST, desk.refused(), uid=uid, server=SERVER)
        assert desk.state.adopt_node(uid, SERVER) is None
        read(Do.LET_DRAIN, desk.refused())
    desk.gives_back()
