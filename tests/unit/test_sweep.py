"""Asking all servers: what comes, what does not, and who is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import cast

import pytest
from stage import FOREIGN, Stage

from rpool.errors import Unreachable
from rpool.flow.sweep import AT_ONCE, sweep
from rpool.model.seen import Probed
from rpool.model.world import World


class Silent:
    """A world of which some servers do not answer before they are released."""

    def __init__(self, stage: Stage, silent: set[str]) -> None:
        self.stage, self.silent = stage, silent
        self.asked: list[str] = []
        self.released = threading.Event()

    def probe(self, server: str) -> Probed:
        self.asked.append(server)
        if server in self.silent:
            self.released.wait(30)
        return self.stage.world.probe(server)


@pytest.fixture
def many() -> Iterator[tuple[World, Silent]]:
    stage = Stage(3 * AT_ONCE)
    world = Silent(stage, set(list(stage.world.machines)[: AT_ONCE + 4]))
    yield cast(World, world), world
    world.released.set()


def test_silent_servers_cost_their_patience_and_hide_no_other(many: tuple[World, Silent]) -> None:
    world, its = many
    began = time.monotonic()
    answers = dict(sweep(world, its.stage.world.machines, 0.3))
    assert time.monotonic() - began < 5
    assert answers.keys() == its.stage.world.machines.keys()
    unseen = {name for name, answer in answers.items() if isinstance(answer, Unreachable)}
    assert unseen == its.silent


def test_who_stops_listening_ends_the_sweep(many: tuple[World, Silent]) -> None:
    world, its = many
    its.silent.clear()
    answers = cast(Iterator[object], sweep(world, its.stage.world.machines, 5))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(its.asked) <= AT_ONCE


def test_a_survey_tells_of_each_server_why_it_cannot_be_had() -> None:
    stage = Stage()
    stage.machine("r1u00").claim = FOREIGN
    stage.machine("r2u01").traces = ("/etc/kubernetes",)
    stage.machine("r3u02").powered = False
    found = stage.site.survey()
    why = {name: its.why_no_spare for name, its in found.items() if its.why_no_spare}
    assert why.keys() == {"r1u00", "r2u01", "r3u02"}
    assert "claimed by pool other" in why["r1u00"]
    assert "dirty: /etc/kubernetes" in why["r2u01"]
    assert found["r3u02"].probed is None
