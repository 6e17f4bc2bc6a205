"""What the plan of a create announces: servers that are free, and that it then takes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from worlds.fault import Fault, Probe
from worlds.stage import BIGGER, FOREIGN, SPEC, Stage, made

from rpool.attempt import Advice
from rpool.errors import Refused, Unreachable, WrongHostKey
from rpool.flow import choose
from rpool.flow.in_use import InUse
from rpool.model import action as act
from rpool.model.event import Result
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec
from rpool.model.server import Role
from rpool_provider.resources import cluster_foreseen


def named(number: int) -> PoolSpec:
    """Like SPEC, under a name and address of its own, with one control plane."""
    endpoint = Endpoint(vip=f"10.0.1.{200 + number}")
    return replace(
        SPEC, name=f"c{number}", control_plane=ControlPlane(1, endpoint), metallb_pools={}
    )


def test_what_is_in_use_or_not_clean_is_not_announced_and_the_create_takes_what_is() -> None:
    stage = Stage(12)
    first, second, third, *_ = stage.site.advise(SPEC).likely
    stage.machine(first).claim = FOREIGN
    stage.machine(second).traces = ("/etc/kubernetes",)
    stage.machine(third).powered = False
    stage.open()
    announced = stage.site.advise(SPEC)
    assert announced.doubt == ""
    assert not {first, second, third} & announced.likely.keys()
    stage.open()  # an apply is another process
    view = stage.site.create_pool(SPEC, stage.attempt())
    assert {name: server.role for name, server in view.servers.items()} == announced.likely


def test_a_cluster_that_is_to_be_made_again_is_announced_the_same_servers() -> None:
    stage = Stage(12)
    announced = stage.site.advise(SPEC)
    view = stage.site.create_pool(SPEC, stage.attempt())
    stage.open()
    assert stage.site.advise(SPEC).likely == announced.likely
    stage.site.destroy_pool(view, stage.attempt())
    assert stage.site.create_pool(SPEC, stage.attempt()).servers.keys() == announced.likely.keys()


def test_creates_that_are_planned_or_made_at_once_never_want_the_same_server() -> None:
    stage = Stage(12)
    specs = [named(number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        announced = list(pool.map(stage.site.advise, specs))
        names = [name for each in announced for name in each.likely]
        assert len(names) == len(set(names)) == 12
        stage.open()
        views = list(pool.map(lambda spec: stage.site.create_pool(spec, stage.attempt()), specs))
    assert sum(len(view.servers) for view in views) == len(stage.claimed()) == 12
    assert [event for event in stage.events if event.outcome is Result.FAILED] == []


def test_what_a_planned_growth_takes_is_left_to_it() -> None:
    stage, view = made(12)
    joins = stage.plan(view, BIGGER, SPEC).joining
    small = replace(named(1), cores=8, memory_gib=16)
    assert not joins & stage.site.advise(small).likely.keys()
    made_beside = stage.site.create_pool(small, stage.attempt())
    assert not joins & made_beside.servers.keys()


def test_where_there_is_no_other_server_it_announces_what_others_want_too() -> None:
    stage = Stage(5)
    first, second = stage.site.advise(SPEC), stage.site.advise(named(1))
    assert set(second.likely) < set(first.likely)
    assert second.doubt == "Other clusters of this plan take some of them."


def test_what_does_not_fit_today_is_announced_with_the_reason() -> None:
    """It may be made after others are destroyed, in the same apply."""
    stage = Stage(5)
    stage.machine("r1u03").claim = FOREIGN
    advice = stage.site.advise(SPEC)
    assert advice.likely.keys() == set(stage.world.machines)
    assert "r1u03: claimed by cluster other (uid ffffffff" in advice.doubt
    (warning,) = cluster_foreseen.told("batch", advice)
    assert warning.summary == "Cluster batch does not fit on the servers that are free now"
    assert "Its apply fails unless servers become free first" in warning.detail
    assert "Missing: " in warning.detail
    assert "likely" not in f"{warning.summary}{warning.detail}"
    assert not warning.is_error


def test_one_server_is_one() -> None:
    (warning,) = cluster_foreseen.told("c1", Advice({"r1u00": Role.CONTROL_PLANE}))
    assert warning.summary == "Cluster c1 will likely take 1 server"


def test_a_host_key_that_is_not_the_declared_one_is_told_since_the_create_stops_at_it() -> None:
    stage = Stage(12)
    odd = next(iter(stage.site.advise(SPEC).likely))
    other = WrongHostKey(f"{odd} does not have the host key that the fleet declares", "Expected x")
    stage.open()
    with stage.faults(Fault(Probe, other, servers=odd)):
        advice = stage.site.advise(SPEC)
        with pytest.raises(WrongHostKey):
            stage.site.create_pool(SPEC, stage.attempt())
    assert odd not in advice.likely
    _, warning = cluster_foreseen.told("batch", advice)
    assert warning.summary == f"Cluster batch: the apply stops at {odd}, which has another host key"
    assert warning.detail.startswith(f"{other.summary}.\nExpected x")
    stage.mark(odd, reserved=True)
    with stage.faults(Fault(Probe, other, servers=odd, sure=False)):
        assert stage.site.advise(SPEC).strange == {}
        assert odd not in stage.site.create_pool(SPEC, stage.attempt()).servers


def test_servers_that_nobody_reaches_are_announced_as_declared_with_a_word() -> None:
    stage = Stage(12)
    free = stage.site.advise(SPEC).likely
    stage.open()
    with stage.faults(Fault(Probe, Unreachable("no route"))) as (probes,):
        advice = stage.site.advise(SPEC)
    assert advice.likely == free
    assert advice.doubt == "None of them could be checked: no route."
    assert len(probes) == len(free), "once nobody answers, nobody else is asked"


def test_a_plan_waits_for_silent_servers_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "LOOK_SECONDS", 0.2)
    stage, answers = Stage(12), threading.Event()
    silent = next(iter(stage.site.advise(SPEC).likely))
    stage.open()
    with stage.faults(Fault(Probe, lambda _: answers.wait(20), servers=silent)):
        advice = stage.site.advise(SPEC)
        answers.set()
    assert silent not in advice.likely
    assert advice.doubt == "Not all servers were checked within 0 s."


def test_a_create_that_loses_many_races_goes_on_while_there_are_servers() -> None:
    """More races than it tries anything else."""
    stage = Stage(18)
    lost: set[str] = set()

    def somebody_is_faster(action: act.TakeClaim) -> None:
        if len(lost) < 9 and action.server not in lost and not stage.machine(action.server).claim:
            lost.add(action.server)
            stage.machine(action.server).claim = replace(FOREIGN, server=action.server)

    one_worker = replace(named(1), cores=8, memory_gib=16)
    with stage.faults(Fault(act.TakeClaim, somebody_is_faster)):
        view = stage.site.create_pool(one_worker, stage.attempt())
    assert len(lost) == 9
    assert not lost & view.servers.keys()


def test_a_failed_create_leaves_its_servers_to_others() -> None:
    stage = Stage(5)
    with stage.faults(Fault(act.TakeClaim, Refused("no"))), pytest.raises(Refused):
        stage.site.create_pool(SPEC, stage.attempt())
    assert stage.site.create_pool(replace(SPEC, name="other"), stage.attempt()).servers


@pytest.mark.timeout(30)
@pytest.mark.parametrize("count", [5, 12], ids=["there are no others", "there are others"])
def test_a_create_goes_on_with_a_server_that_another_cluster_was_to_get(count: int) -> None:
    """The server has its claim already: a cluster that was announced it before takes another."""
    stage, in_use = Stage(count), InUse()
    kept = dict(list(stage.site.advise(SPEC).likely.items())[:1])
    assert in_use.reserve("other", kept.keys())
    chosen = choose.choose(SPEC, stage.site.config.fleet, stage.world, in_use, kept)
    assert kept.keys() <= chosen.roles.keys()
    assert not kept.keys() & in_use.not_left_to(SPEC.name).keys()


def test_a_create_goes_on_where_an_earlier_one_had_an_rpool_node() -> None:
    """It is claimed for the cluster, and is none of its own."""
    stage = Stage(12)
    kept = dict.fromkeys(list(stage.site.advise(SPEC).likely), Role.WORKER)
    kept = {name: kept[name] for name in list(kept)[-2:]}
    stage.mark(next(iter(kept)), reserved=True)
    chosen = choose.choose(SPEC, stage.site.config.fleet, stage.world, InUse(), kept)
    assert kept.keys() - chosen.roles.keys() == {next(iter(kept))}
