"""A virtual IP that ARP cannot bring to the servers is refused before anything is claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.fault import Answer, Fault, Probe
from worlds.stage import BIGGER, SPEC, Stage, made

from rpool.errors import Refused
from rpool.model.pool import Endpoint


def routed(*routes: str) -> Fault:
    """Servers that have these routes beside their default one."""
    return Fault(Probe, Answer(lambda probed: replace(probed, routes=routes)))


@pytest.mark.parametrize("routes", [("10.20.0.0/16",), ("10.0.2.0/24", "10.0.1.128/26")])
def test_a_vip_outside_of_the_servers_networks_is_refused(routes: tuple[str, ...]) -> None:
    stage = Stage()
    with stage.faults(routed(*routes)), pytest.raises(Refused) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "vip 10.0.1.200 is in no network of the servers" in caught.value.detail
    assert all(route in caught.value.detail for route in routes)
    assert stage.claimed() == set()


@pytest.mark.parametrize(
    ("vip", "route", "what"),
    [
        ("10.0.1.255", "10.0.1.0/24", "broadcast address of 10.0.1.0/24"),
        ("10.0.1.0", "10.0.1.0/24", "address of the network 10.0.1.0/24 itself"),
        ("10.0.1.203", "10.0.1.200/30", "broadcast address of 10.0.1.200/30"),
    ],
)
def test_a_vip_that_no_machine_can_have_is_refused(vip: str, route: str, what: str) -> None:
    """Three control planes would wait for each other on it, and nothing would reach one alone."""
    stage = Stage()
    control_plane = replace(SPEC.control_plane, endpoint=Endpoint(vip=vip))
    spec = replace(SPEC, control_plane=control_plane)
    with stage.faults(routed(route)), pytest.raises(Refused) as caught:
        stage.site.create_pool(spec, stage.attempt())
    assert f"vip {vip} is the {what}" in caught.value.detail
    assert stage.claimed() == set()


@pytest.mark.parametrize("routes", [("10.0.1.200/31",), ("10.0.1.0/24", "10.0.1.200/29")])
def test_the_smallest_network_says_what_an_address_in_it_is(routes: tuple[str, ...]) -> None:
    """Both addresses of a /31 can be used. The first address of a smaller network cannot, although
    a larger network has it too.
    """
    stage = Stage()
    with stage.faults(routed(*routes)):
        if len(routes) == 1:
            assert stage.site.create_pool(SPEC, stage.attempt()).vip == "10.0.1.200"
            return
        with pytest.raises(Refused) as caught:
            stage.site.create_pool(SPEC, stage.attempt())
    assert "of the network 10.0.1.200/29 itself" in caught.value.detail


@pytest.mark.parametrize("routes", [("10.0.1.0/24",), ("10.20.0.0/16", "10.0.1.200/32")])
def test_a_vip_that_the_servers_have_a_route_to_is_fine(routes: tuple[str, ...]) -> None:
    stage = Stage()
    with stage.faults(routed(*routes)):
        assert stage.site.create_pool(SPEC, stage.attempt()).vip == "10.0.1.200"


def test_a_cluster_that_is_there_grows_wherever_its_vip_is() -> None:
    stage, view = made()
    with stage.faults(routed("10.20.0.0/16")):
        assert stage.become(view, BIGGER).allocated_cores >= BIGGER.cores
