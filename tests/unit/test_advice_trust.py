"""Advice about servers that are not what they or the fleet say, followed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from following import follows, read, with_cluster
from worlds.false import FALSE, posing
from worlds.stage import BIGGER, SPEC, made

from rpool.advice import Do
from rpool.api import NodeRequest
from rpool.certificates import ca_pin
from rpool.errors import RpoolError
from rpool.model.pool import NodeSpec


@pytest.mark.parametrize("way", ["put back", "left first"])
@follows(Do.OLD_ADDRESS)
def test_a_member_whose_address_was_changed(way: str) -> None:
    desk = with_cluster()
    name = desk.view().control_planes[0]
    old = desk.stage.site.config.fleet.servers[name].address
    desk.mark(name, address="10.0.1.99")
    read(Do.OLD_ADDRESS, desk.refused())
    desk.mark(name, address=old)
    desk.succeeds()
    if way == "left first":
        desk.mark(name, retire=True)
        desk.succeeds()
        desk.mark(name, address="10.0.1.99", retire=False)
        desk.succeeds()


@pytest.mark.parametrize("way", ["unreserved", "planned again"])
@follows(Do.UNRESERVE)
def test_a_server_that_was_reserved_since_the_plan(way: str) -> None:
    stage, view = made(12)
    target = stage.plan(view, BIGGER, SPEC)
    (joins,) = target.joining
    stage.mark(joins, reserved=True)
    with pytest.raises(RpoolError) as caught:
        stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
    read(Do.UNRESERVE, caught.value)
    if way == "unreserved":
        stage.mark(joins, reserved=False)
        grown = stage.site.change_pool(view, BIGGER, target.roles, stage.attempt())
        assert joins in grown.servers
    else:
        assert joins not in stage.become(view, BIGGER).servers


@pytest.mark.parametrize("way", ["given a new system", "worked around"])
@follows(Do.FALSE_CLAIM)
def test_servers_that_claim_two_cas(way: str) -> None:
    stage, view = made(16)
    posing(stage, view)
    stage.open()
    with pytest.raises(RpoolError) as caught:
        stage.site.find_pool(view.uid)
    read(Do.FALSE_CLAIM, caught.value)
    extra = next(n for n in sorted(stage.world.machines) if stage.machine(n).claim is None)
    stage.mark(extra, reserved=True)
    request = NodeRequest(view.uid, extra, NodeSpec(), ca_pin(view.ca_certificate))
    if way == "given a new system":
        stage.machine(FALSE).reset()
        assert stage.site.find_pool(view.uid).view == view
        request = replace(request, ca_pin="")
    assert stage.site.pin_node(request, stage.attempt(), is_new=True)
    assert extra in stage.cluster(view).nodes
