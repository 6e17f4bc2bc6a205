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
    its = Desk(Stage(12), IN_A)
    its.mark(*its.stage.world.machines, trust=IN_A.trust)
    its.mark(NODE, OTHER_NODE, reserved=True)
    its.mark(NODE, **marks)
    its.succeeds()
    its.write(IN_A, **{NODE: ("batch", GPU)})
    return its


@pytest.mark.parametrize("way", ["its trust", "another server"])
@follows(Do.SAME_TRUST)
def test_a_server_of_another_domain_is_not_put_into_a_cluster(way: str) -> None:
    its = wants_node(trust=OTHER)
    read(Do.SAME_TRUST, its.refused())
    assert its.stage.machine(NODE).served is None
    if way == "its trust":
        its.mark(NODE, trust=IN_A.trust)
    else:
        its.write(IN_A, **{OTHER_NODE: ("batch", GPU)})
    its.succeeds()


@follows(Do.FREE, 0)
def test_the_server_of_a_node_that_has_served_elsewhere() -> None:
    its = wants_node()
    its.stage.machine(NODE).served = OTHER
    read(Do.FREE, its.refused(), server=NODE)
    its.stage.machine(NODE).reinstall()
    its.succeeds()


@follows(Do.TAKE_OUT)
def test_the_server_of_a_node_whose_domain_was_changed() -> None:
    its = wants_node()
    its.succeeds()
    its.mark(NODE, trust=OTHER)
    said = its.apply()
    read(Do.TAKE_OUT, said)
    assert f"{NODE} is in domain team-b by the fleet, and stays in cluster batch" in said
    its.write(IN_A)
    its.succeeds()
    assert its.stage.machine(NODE).claim is None
