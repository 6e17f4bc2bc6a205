"""Attacks on `rpool release` and on `destroy { on_unreachable = "abandon" }`."""

from __future__ import annotations

import threading

import pytest
from following import Desk, follows, read, with_cluster
from test_returned import release
from worlds.fault import Fault
from worlds.stage import ONE

from rpool.advice import Do
from rpool.errors import CommandFailed, Refused
from rpool.model import action as act
from rpool.model.server import Fleet, Role


def alone(desk: Desk, server: str) -> None:
    """The site.yaml of docs/guides/repair.md: its fleet has that one server."""
    fleet = desk.stage.site.config.fleet.servers
    desk.stage.open(Fleet({server: fleet[server]}))


@pytest.mark.parametrize("role", list(Role))
def test_a_living_member_is_not_released_by_a_site_file_that_names_it_alone(role: Role) -> None:
    desk = with_cluster()
    server = [n for n, member in sorted(desk.view().servers.items()) if member.role is role][-1]
    uid = desk.view().uid
    alone(desk, server)
    with pytest.raises(Refused):
        desk.stage.site.release(server, uid, desk.stage.attempt())
    assert desk.stage.machine(server).claim is not None


def test_a_destroy_that_fails_names_whom_it_has_abandoned() -> None:
    desk = with_cluster()
    dead, stuck = desk.workers()[-2:]
    uid = desk.view().uid
    desk.power(dead, on=False)
    desk.state.clusters["batch"].values["destroy"] = {"on_unreachable": "abandon"}
    desk.write()
    with desk.stage.faults(Fault(act.Reset, CommandFailed("no"), servers=stuck)):
        run = desk.state.apply(desk.wanted, threading.Event())
    output = "\n".join([*run.errors, *run.warnings])
    again = desk.state.apply(desk.wanted, threading.Event())
    output += "\n".join([*again.errors, *again.warnings])
    assert desk.state.clusters == {}
    assert f"rpool release {dead} --claim {uid}" in output


@follows(Do.LET_GO, 1)
def test_a_control_plane_that_was_abandoned_and_serves_again_is_given_back_by_an_import() -> None:
    desk = with_cluster(ONE)
    (only,) = desk.view().control_planes
    uid = desk.view().uid
    desk.power(only, on=False)
    desk.state.clusters["batch"].values["destroy"] = {"on_unreachable": "abandon"}
    desk.write()
    assert desk.state.apply(desk.wanted, threading.Event()).errors == []
    desk.power(only, on=True)
    with pytest.raises(Refused) as caught:
        release(desk, only, uid)
    read(Do.LET_GO, caught.value, uid=uid)
    desk.imports(uid)
    desk.gives_back()


def test_the_only_control_plane_is_not_released_while_its_api_restarts() -> None:
    desk = with_cluster(ONE)
    (only,) = desk.view().control_planes
    uid = desk.view().uid
    desk.stage.machine(only).stepped_down = True  # its kube-apiserver restarts, say
    with pytest.raises(Refused):
        release(desk, only, uid)
    assert desk.stage.machine(only).claim is not None
