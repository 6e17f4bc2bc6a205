"""Create, read, update and destroy, on real processes with modelled servers."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

from protocol.cluster_calls import COMPUTED, UNKNOWN, Calls, errors, path, values
from protocol.plugin_process import PluginProcess, simulated
from protocol.simulated_provider import Kept, keep, recall
from protocol.site_config import cluster, server, site
from rpool.errors import CommandFailed
from rpool.model import action as act


def test_nothing_is_applied_while_the_site_is_unknown(world_file: Path) -> None:
    with PluginProcess(simulated(world_file)) as plugin:
        reply = Calls(plugin, site() | {"fleet": UNKNOWN}).create(cluster())
    assert errors(reply) == ["the provider's configuration is not known yet"]
    assert values(reply.new_state) is None


def test_what_cannot_be_looked_at_yet_stays_as_it_was(created: Any, world_file: Path) -> None:
    with PluginProcess(simulated(world_file)) as plugin:
        reply = Calls(plugin, site() | {"fleet": UNKNOWN}).read(created, b"ours")
    assert errors(reply) == []
    assert (values(reply.new_state), reply.private) == (values(created), b"ours")


def test_a_created_cluster_is_wholly_known(created: Any) -> None:
    state = values(created)
    assert all(state[name] not in (None, UNKNOWN) for name in COMPUTED)
    assert state["condition"] == "settled"
    roles = [server["role"] for server in state["servers"].values()]
    assert roles.count("control_plane") == 3
    assert state["allocated_cores"] >= 16


def test_what_was_planned_as_known_is_what_the_state_says(calls: Calls) -> None:
    planned = calls.plan(cluster()).planned_state
    state = values(calls.apply(planned).new_state)
    for name, value in values(planned).items():
        assert value == UNKNOWN or state[name] == value, name


def test_reading_it_again_changes_nothing(shared: Calls, created: Any) -> None:
    reply = shared.read(created, b"ours")
    assert values(reply.new_state) == values(created)
    assert json.loads(reply.private)["verified"]
    assert shared.read(created, reply.private).private == reply.private
    assert errors(reply) == []


def test_timeouts_change_in_place_and_touch_no_server(calls: Calls, world_file: Path) -> None:
    created = calls.create(cluster()).new_state
    before = world_file.read_bytes()
    planned = calls.plan(cluster(timeouts={"create": "5m"}), created)
    assert list(planned.requires_replace) == []
    state = values(calls.apply(planned.planned_state, created).new_state)
    assert state["timeouts"] == {"create": "5m", "update": None, "delete": None}
    assert world_file.read_bytes() == before


def test_destroying_gives_every_server_back(calls: Calls, world_file: Path) -> None:
    created = calls.create(cluster()).new_state
    planned = calls.plan(None, created)
    assert values(planned.planned_state) is None
    reply = calls.apply(planned.planned_state, created)
    assert errors(reply) == []
    assert values(reply.new_state) is None
    assert all(machine.claim is None for machine in recall(world_file).machines.values())


def test_a_cluster_whose_servers_were_all_taken_away_is_gone(
    calls: Calls, world_file: Path
) -> None:
    created = calls.create(cluster()).new_state
    calls.apply(calls.plan(None, created).planned_state, created)
    assert values(calls.read(created).new_state) is None


def test_a_create_cut_off_midway_returns_what_there_is_and_the_error(world_file: Path) -> None:
    keep(
        world_file,
        Kept(broken={(act.Init, f"s{n}"): CommandFailed("no manifest") for n in range(1, 7)}),
    )
    with PluginProcess(simulated(world_file)) as plugin:
        reply = Calls(plugin).create(cluster())
    assert any("no manifest" in error for error in errors(reply))
    state = values(reply.new_state)
    assert state["condition"] == "incomplete"
    assert state["servers"]
    assert UNKNOWN not in state.values()


def test_a_destroy_cut_off_midway_keeps_the_servers_that_remain(
    calls: Calls, world_file: Path
) -> None:
    created = calls.create(cluster()).new_state
    stuck = next(iter(values(created)["servers"]))
    kept = recall(world_file)
    keep(world_file, Kept(kept.machines, {(act.Reset, stuck): CommandFailed("still mounted")}))
    with PluginProcess(simulated(world_file)) as later:
        calls = Calls(later)
        reply = calls.apply(calls.plan(None, created).planned_state, created)
    assert "still mounted" in errors(reply)[0]
    assert list(values(reply.new_state)["servers"]) == [stuck]


def test_stop_ends_a_create_with_an_error_and_the_state_so_far(world_file: Path) -> None:
    keep(world_file, Kept(seconds=0.3))
    with PluginProcess(simulated(world_file)) as plugin:
        calls = Calls(plugin)
        running = calls.begin_apply(calls.plan(cluster()).planned_state)
        while not (
            world_file.exists() and any(m.claim for m in recall(world_file).machines.values())
        ):
            time.sleep(0.05)
        assert plugin.call("StopProvider").Error == ""
        reply = running.result()
        after = calls.create(cluster(name="late"))
    assert errors(reply)
    claimed = {n for n, m in recall(world_file).machines.items() if m.claim is not None}
    assert set(values(reply.new_state)["servers"]) == claimed
    assert "asked to stop" in errors(after)[0]
    assert values(after.new_state) is None


def test_terminated_it_still_answers_but_begins_nothing_new(calls: Calls, world_file: Path) -> None:
    planned = calls.plan(cluster()).planned_state
    calls.plugin.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    reply = calls.apply(planned)
    assert "asked to stop" in errors(reply)[0]
    assert values(reply.new_state) is None
    assert not world_file.exists()


def test_stop_is_heard_while_a_hundred_applies_run(world_file: Path) -> None:
    keep(world_file, Kept(seconds=30.0))
    with PluginProcess(simulated(world_file)) as plugin:
        calls = Calls(plugin, _pairs(100))
        planned = [calls.plan(_pool_of_two(number)) for number in range(100)]
        running = [calls.begin_apply(plan.planned_state) for plan in planned]
        time.sleep(1.0)
        assert not any(apply.done() for apply in running)
        plugin.call("StopProvider")
        assert not any(apply.done() for apply in running)  # it had to wait for none


def _pairs(count: int) -> dict[str, Any]:
    """A site with two servers for each of `count` pools."""
    numbers = range(2 * count)
    fleet = {f"s{n}": server(n, labels={"for": f"p{n // 2}"}) for n in numbers}
    return site() | {"fleet": fleet}


def _pool_of_two(number: int) -> dict[str, Any]:
    name = f"p{number}"
    return cluster(
        name=name,
        cores=8,
        memory=32,
        control_plane={"servers": 1, "endpoint": {"address": f"{name}.example.org:6443"}},
        selector={"labels": {"for": name}},
    )


def test_a_destroy_that_was_cut_off_is_gone_on_with_whatever_is_planned_next(
    calls: Calls, world_file: Path
) -> None:
    """For instance the first half of a replacement that was called off. What is left of the cluster
    has no API, so nothing else can be done with it.
    """
    created = calls.create(cluster()).new_state
    stuck = next(n for n, i in values(created)["servers"].items() if i["role"] == "control_plane")
    keep(world_file, Kept(broken={(act.Reset, stuck): CommandFailed("still mounted")}))
    with PluginProcess(simulated(world_file)) as plugin:
        left = Calls(plugin).apply({"msgpack": b"\xc0"}, created)
    assert "still mounted" in errors(left)[0]
    keep(world_file, Kept())
    with PluginProcess(simulated(world_file)) as plugin:
        later = Calls(plugin)
        read = later.read(left.new_state, left.private)
        assert "The destroy of cluster batch was interrupted" in read.diagnostics[0].summary
        planned = later.plan_beside(cluster(), read.new_state, read.private)
        assert [path(attribute) for attribute in planned.requires_replace] == [
            ("kubernetes_version",)
        ]
        recreated = later.plan_beside(cluster(), None, planned.planned_private)
        gone = later.apply({"msgpack": b"\xc0"}, read.new_state, recreated.planned_private)
        assert errors(gone) == []
        made = later.apply(recreated.planned_state, None, recreated.planned_private)
    assert errors(made) == []
    assert values(made.new_state)["condition"] == "settled"
