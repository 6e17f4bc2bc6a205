"""Random ills, cuts and repairs; nothing that is well is ever reset, and etcd keeps its quorum."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

import pytest
from following import with_cluster
from test_repair import LONG, of
from worlds.fault import AFTER, CHANGES, Break, Fault
from worlds.stage import FIVE, SPEC

from rpool.decide.quorum import majority
from rpool.errors import CommandFailed, RpoolError
from rpool.model import action as act
from rpool.model.pool import Repair
from rpool.model.server import Role


@pytest.mark.parametrize("seed", [*range(8), 80])
def test_fuzz(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    base = replace(rng.choice([SPEC, FIVE]), repair=Repair(max_lost=rng.choice([1, 2, 3, 9])))
    desk = with_cluster(
        base, count=rng.choice([7, 8, 10, 16]) if base.control_plane.servers == 3 else 16
    )
    stage = desk.stage
    start = set(desk.view().servers)
    ill: set[str] = set()
    uid = desk.view().uid
    control_planes = of(desk, Role.CONTROL_PLANE)
    anchor = stage.machine(control_planes[0]).cluster
    assert anchor is not None
    broken: list[str] = []

    def quorum(call: object) -> None:
        running = stage.world._running(anchor)
        if len(running) < majority(len(anchor.members)):
            broken.append(f"quorum lost at {call}")

    def reset(call: act.Reset) -> None:
        if call.server in start and call.server not in ill:
            broken.append(f"{call.server} is well and was reset")

    log: list[str] = []
    for _ in range(rng.randint(1, 4)):
        view = desk.view()
        control_planes = [n for n in view.servers if view.servers[n].role is Role.CONTROL_PLANE]
        may_die = (len(anchor.members) - 1) // 2 - (
            len(anchor.members) - len(stage.world._running(anchor))
        )
        for name in rng.sample(sorted(view.servers), rng.randint(0, 3)):
            how = rng.choice(["die", "kubelet", "disk", "back"])
            if how == "die":
                if name in control_planes:
                    if may_die < 1:
                        continue
                    may_die -= 1
                stage.machine(name).lose_power(LONG)
                ill.add(name)
            elif how == "back":
                stage.machine(name).give_power()
            elif stage.machine(name).powered:
                stage.machine(name).fall_sick("disk" if how == "disk" else "kubelet", LONG)
                ill.add(name)
            log.append(f"{how} {name}")
        faults = [
            Fault(CHANGES, quorum, AFTER, sure=False),
            Fault(act.Reset, reset, sure=False),
        ]
        cut = rng.choice(["", "killed", "failed"])
        if cut == "killed":
            faults.append(
                Fault(
                    CHANGES,
                    Break.KILLED,
                    AFTER,
                    None,
                    first=rng.randint(1, 12),
                    times=1,
                    sure=False,
                )
            )
        if cut == "failed":
            faults.append(
                Fault(CHANGES, CommandFailed("no"), first=rng.randint(1, 12), times=1, sure=False)
            )
        with suppress(RpoolError), stage.faults(*faults):
            output = desk.apply()
            log.append(f"{cut}: {output[:300]}")
        stage.open()
        assert not broken, (broken, log)
    for name in stage.world.machines:
        stage.machine(name).give_power()
        stage.machine(name).sick = ""
        stage.machine(name).down_since = 0.0
    for _ in range(4):
        if desk.state.apply(desk.wanted, __import__("threading").Event()).was_empty:
            break
    assert desk.view().uid == uid
    desk.is_whole()
