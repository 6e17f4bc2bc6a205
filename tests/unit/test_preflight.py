"""Servers that are unfit for their role are not claimed, and all that is wrong is told at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from following import follows, read, with_cluster
from worlds.expect import settled
from worlds.fault import AddressAnswers, Answer, Fault, Inspect
from worlds.stage import BIGGER, ONE, SPEC, Stage, made

from rpool.advice import Do
from rpool.errors import CommandFailed, DoesNotFit, Refused, Unreachable
from rpool.flow.preflight import AT_ONCE, unfit
from rpool.model.action import TakeClaim
from rpool.model.inspection import Port
from rpool.model.server import Role

PICKED = "r2u01"  # a small server, which a create takes for a control plane
ALL_PORTS = ("tcp/2379", "tcp/2380", "tcp/6443", "tcp/7946", "tcp/10250", "udp/7946", "udp/8472")


def test_a_create_passes_over_a_server_that_no_other_reaches() -> None:
    assert PICKED in (stage := Stage(9)).site.create_pool(ONE, stage.attempt()).servers
    stage = Stage(9)
    stage.machine(PICKED).blocked = ("tcp/6443",)
    view = stage.site.create_pool(ONE, stage.attempt())
    assert PICKED not in view.servers
    assert PICKED not in {action.server for action in stage.acted}


def test_a_create_that_finds_no_other_says_why_of_each_that_was_passed_over() -> None:
    stage = Stage(5)
    stage.machine(PICKED).blocked = ("udp/8472",)
    with pytest.raises(DoesNotFit) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "cannot reach it at udp/8472 (no answer)" in caught.value.problems[0].detail
    assert stage.acted == []


def test_where_all_that_were_picked_are_unfit_all_is_told_and_no_others_are_tried() -> None:
    stage = Stage(40)
    for machine in stage.world.machines.values():
        machine.blocked = ALL_PORTS
    old = Answer(lambda inspected: replace(inspected, cgroups="tmpfs", used={Port(10259): "nginx"}))
    with (
        stage.faults(Fault(Inspect, old)) as (asked,),
        pytest.raises(Refused) as caught,
    ):
        stage.site.create_pool(SPEC, stage.attempt())
    lines = caught.value.detail.splitlines()
    names = {call.server for call in asked}
    assert len(names) == 5
    for name in names:
        problems = [line for line in lines if line.startswith(f"  {name}: ")]
        assert any("version 1 of control groups" in line for line in problems)
        assert any("port tcp/10259 is in use, by nginx" in line for line in problems)
        assert any("cannot reach it at" in line for line in problems)
    assert stage.acted == []
    assert stage.claimed() == set()


def test_what_is_no_server_s_own_is_told_with_the_rest() -> None:
    stage = Stage(9)
    stage.machine(PICKED).blocked = ("tcp/6443",)
    answers = Fault(AddressAnswers, Answer(lambda answer: True))
    with stage.faults(answers), pytest.raises(Refused) as caught:
        stage.site.create_pool(ONE, stage.attempt())
    assert "vip 10.0.1.200 is in use" in caught.value.detail
    assert f"  {PICKED}: " in caught.value.detail


def test_servers_that_did_not_meet_in_time_try_once_more() -> None:
    late = Answer(lambda inspected: replace(inspected, cut={("r1u03", Port(10250)): "no answer"}))
    stage = Stage(5)
    with stage.faults(Fault(Inspect, late, servers=PICKED, times=1)):
        assert stage.site.create_pool(SPEC, stage.attempt()).servers.keys() >= {PICKED}


def test_a_server_that_prints_nonsense_is_passed_over_and_one_that_is_silent_fails_by_itself() -> (
    None
):
    stage = Stage(9)
    error = CommandFailed("the inspection printed what cannot be read", "ValueError")
    with stage.faults(Fault(Inspect, error, servers=PICKED)):
        assert PICKED not in stage.site.create_pool(SPEC, stage.attempt()).servers
    stage = Stage(9)
    with stage.faults(Fault(Inspect, Unreachable("gone"), servers=PICKED)):
        assert PICKED in stage.site.create_pool(SPEC, stage.attempt()).servers


def test_what_will_do_is_a_warning() -> None:
    stage, warnings = Stage(5), list[str]()
    slow = Answer(lambda inspected: replace(inspected, write_ms=77.0))
    with stage.faults(Fault(Inspect, slow, servers=PICKED)):
        stage.site.create_pool(SPEC, stage.attempt(warn=warnings.append))
    assert [text for text in warnings if "77 ms" in text and text.startswith(PICKED)]


def block(stage: Stage, *ports: str) -> None:
    """Blocks these ports, and no others, on each server that is not claimed."""
    for machine in stage.world.machines.values():
        if machine.claim is None:
            machine.blocked = ports


def test_a_change_claims_none_where_one_is_unfit_and_leaves_the_cluster_as_it_is() -> None:
    stage, view = made(9)
    block(stage, "udp/8472")
    with pytest.raises(Refused) as caught:
        stage.become(view, BIGGER)
    assert f"cluster {SPEC.name} cannot take the servers" in caught.value.summary
    assert "cannot reach it at udp/8472" in caught.value.detail
    assert not any(isinstance(action, TakeClaim) for action in stage.acted)
    block(stage)
    settled(stage, stage.read(view), SPEC)


def test_a_member_that_is_dead_is_no_reason_to_take_nobody() -> None:
    stage, view = made(9)
    dead = next(name for name, member in view.servers.items() if member.role is Role.WORKER)
    stage.machine(dead).lose_power()
    assert len(stage.become(view, BIGGER).servers) > len(view.servers)


def test_many_workers_are_tried_some_at_a_time_with_the_control_planes() -> None:
    stage, asked = Stage(AT_ONCE * 2 + 3), list[str]()
    roles = dict.fromkeys(stage.world.machines, Role.WORKER) | {PICKED: Role.CONTROL_PLANE}
    count = Fault(Inspect, lambda look: asked.append(look.server))
    with stage.faults(count):
        assert unfit(SPEC, roles, {}, stage.faulty, lambda text: None) == {}
    assert set(asked) == roles.keys()
    assert asked.count(PICKED) == 3
    assert len(asked) == len(roles) + 2


@pytest.mark.parametrize("way", ["put right", "reserve"])
@follows(Do.PUT_RIGHT)
def test_a_change_that_was_refused_goes_through_as_it_advises(way: str) -> None:
    desk = with_cluster(count=9)
    block(desk.stage, "tcp/10250")
    desk.write(BIGGER)
    error = desk.refused()
    read(Do.PUT_RIGHT, error)
    planned = {n for n, _ in desk.stage.world.machines.items() if f"  {n}: " in error}
    assert planned
    assert desk.stage.claimed() == desk.view().servers.keys()
    for name, machine in desk.stage.world.machines.items():
        if way == "put right" or name not in planned:
            machine.blocked = ()
    if way == "reserve":
        desk.mark(*planned, reserved=True)
    desk.is_whole()


def test_all_of_a_create_are_inspected_once() -> None:
    stage = Stage(5)
    with stage.faults(Fault(Inspect, Answer(lambda inspected: inspected))) as (asked,):
        stage.site.create_pool(SPEC, stage.attempt())
    assert sorted(call.server for call in asked) == sorted(stage.world.machines)
