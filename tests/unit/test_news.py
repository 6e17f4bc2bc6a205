"""Whatever gives a server back tells what was added to it while it was a member; a server whose
packages were changed is not given back. On modelled servers.
"""

from __future__ import annotations

from following import with_cluster
from worlds.fault import Fault
from worlds.stage import SMALLER, SPEC, Stage, made

from rpool.advice import Do
from rpool.api import NodeRequest
from rpool.errors import CommandFailed, Unreachable
from rpool.model import action as act
from rpool.model.event import Result
from rpool.model.pool import NodeSpec

CAME = ("changed /root/.ssh/authorized_keys", "new /etc/cron.d/came")
UNKNOWN = ("unknown: no list was made when the server was claimed",)


def leave_something(stage: Stage, *names: str) -> None:
    for name in names:
        stage.machine(name).news = CAME


def is_told(warnings: str, *servers: str) -> None:
    assert f"{', '.join(servers)}: given back, with changes since its claim" in warnings
    assert "; ".join(CAME) in warnings
    assert Do.LOOK_AROUND.text() in warnings


def test_a_shrink_tells_what_came() -> None:
    desk = with_cluster()
    (leaving,) = desk.stage.plan(desk.view(), SMALLER, SPEC).leaving
    leave_something(desk.stage, leaving)
    desk.write(SMALLER)
    is_told(desk.apply(), leaving)
    assert desk.stage.world.probe(leaving).is_spare


def test_a_replacement_tells_what_came() -> None:
    desk = with_cluster()
    old = desk.workers()[0]
    leave_something(desk.stage, old)
    desk.mark(old, retire=True)
    is_told(desk.apply(), old)


def test_a_destroy_tells_what_came_once_for_servers_that_are_alike() -> None:
    desk = with_cluster()
    servers = sorted(desk.view().servers)
    leave_something(desk.stage, *servers[1:])
    desk.stage.machine(servers[0]).news = UNKNOWN
    desk.write()
    warnings = desk.apply()
    is_told(warnings, *servers[1:])
    assert warnings.count("given back, with") == 1
    assert (
        f"{servers[0]}: given back; what changed there since the claim is unknown: no list"
        in warnings
    )
    assert desk.stage.claimed() == set()


def test_a_create_that_gives_a_server_back_tells_what_came() -> None:
    stage, warnings = Stage(9), list[str]()

    def plant(action: act.Prepare) -> None:
        leave_something(stage, action.server)
        raise CommandFailed("no")

    with stage.faults(Fault(act.Prepare, plant, times=1)):
        stage.site.create_pool(SPEC, stage.attempt(warn=warnings.append))
    assert sum("given back, with" in text for text in warnings) == 1


def test_a_node_that_is_taken_out_tells_what_came() -> None:
    stage, view = made()
    name = next(n for n in stage.world.machines if n not in view.servers)
    stage.mark(name, reserved=True)
    stage.site.pin_node(NodeRequest(view.uid, name, NodeSpec()), stage.attempt())
    leave_something(stage, name)
    warnings: list[str] = []
    stage.site.unpin_node(view.uid, name, stage.attempt(warn=warnings.append))
    is_told("\n".join(warnings), name)


def test_a_node_that_is_put_in_again_tells_what_came_and_is_in() -> None:
    """Its departure was cut off, and is finished first. A warning is no failure of the update."""
    node = {"r3u08": ("batch", NodeSpec())}
    desk = with_cluster()
    desk.mark("r3u08", reserved=True)
    desk.write(SPEC, **node)
    desk.succeeds()
    desk.write(SPEC)
    with desk.stage.faults(Fault(act.Reset, Unreachable("no"))):
        desk.refused()
    leave_something(desk.stage, "r3u08")
    desk.write(SPEC, **node)
    is_told(desk.apply(), "r3u08")
    desk.succeeds()
    assert desk.stage.machine("r3u08").claim is not None


def test_the_journal_has_it_too() -> None:
    stage, view = made()
    name = next(iter(view.servers))
    leave_something(stage, name)
    stage.site.destroy_pool(view, stage.attempt())
    resets = [event for event in stage.events if event.step == f"reset {name}"]
    assert [event.outcome for event in resets] == [Result.STARTED, Result.DONE]
    assert resets[-1].detail == "; ".join(CAME)


def test_a_server_whose_packages_were_changed_stays_the_clusters_until_they_are_put_right() -> None:
    desk = with_cluster()
    (name, *_) = desk.workers()
    desk.stage.machine(name).altered = ("package kubelet: changed /usr/bin/kubelet",)
    desk.write()
    error = desk.refused()
    assert Do.REINSTALL.text() in error
    assert desk.stage.claimed() == {name} == set(desk.view().servers)
    desk.stage.machine(name).altered = ()
    desk.gives_back()


def test_long_news_are_cut() -> None:
    stage, view = made()
    name = next(iter(view.servers))
    stage.machine(name).news = tuple(f"new /etc/cron.d/{n}" for n in range(500))
    warnings: list[str] = []
    stage.site.destroy_pool(view, stage.attempt(warn=warnings.append))
    assert "/etc/cron.d/11 and 488 more." in warnings[0]
