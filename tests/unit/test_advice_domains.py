"""Advice about an rpool_node's server that is of another domain of trust, followed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from following import Desk, follows, read
from worlds.stage import SPEC, Stage

from rpool.advice import Do
from rpool.model.pool import NodeSpec

IN_A = replace(SPEC, trust="team-a")
OTHER = "team-b"
GPU = NodeSpec({"accelerator": "h100"})
NODE, OTHER_NODE = "r3u08", "r1u09"


def wants_node(**marks: str) -> Desk:
    desk = Desk(Stage(12), IN_A)
    desk.mark(*desk.stage.world.machines, trust=IN_A.trust)
    desk.mark(NODE, OTHER_NODE, reserved=True)
    desk.mark(NODE, **marks)
    desk.succeeds()
    desk.write(IN_A, **{NODE: ("batch", GPU)})
    return desk


@pytest.mark.parametrize("way", ["its trust", "another server"])
@follows(Do.SAME_TRUST)
def test_a_server_of_another_domain_is_not_put_into_a_cluster(way: str) -> None:
    desk = wants_node(trust=OTHER)
    read(Do.SAME_TRUST, desk.refused())
    assert desk.stage.machine(NODE).served is None
    if way == "its trust":
        desk.mark(NODE, trust=IN_A.trust)
    else:
        desk.write(IN_A, **{OTHER_NODE: ("batch", GPU)})
    desk.succeeds()


@follows(Do.FREE, 0)
def test_the_server_of_a_node_that_has_served_elsewhere() -> None:
    desk = wants_node()
    desk.stage.machine(NODE).served = OTHER
    read(Do.FREE, desk.refused(), server=NODE)
    desk.stage.machine(NODE).reinstall()
    desk.succeeds()


@follows(Do.TAKE_OUT)
def test_the_server_of_a_node_whose_domain_was_changed() -> None:
    desk = wants_node()
    desk.succeeds()
    desk.mark(NODE, trust=OTHER)
    warnings = desk.apply()
    read(Do.TAKE_OUT, warnings)
    assert f"{NODE} is in domain team-b in the fleet, but stays in cluster batch" in warnings
    desk.write(IN_A)
    desk.succeeds()
    assert desk.stage.machine(NODE).claim is None
