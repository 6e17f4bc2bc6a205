"""Asking all servers: which answer, which do not, and which are waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import cast

from worlds.fault import Fault, Probe
from worlds.stage import FOREIGN, Stage

from rpool.errors import Unreachable
from rpool.flow.look import SWEPT_AT_ONCE, sweep


def test_silent_servers_cost_their_patience_and_hide_no_other() -> None:
    stage = Stage(3 * SWEPT_AT_ONCE)
    names = list(stage.world.machines)
    silent, released = names[: SWEPT_AT_ONCE + 4], threading.Event()
    with stage.faults(Fault(Probe, lambda _: released.wait(30), servers=silent)):
        began = time.monotonic()
        answers = dict(sweep(stage.faulty, names, 0.3))
        assert time.monotonic() - began < 5
        released.set()
    assert answers.keys() == set(names)
    unseen = {name for name, answer in answers.items() if isinstance(answer, Unreachable)}
    assert unseen == set(silent)


def test_who_stops_listening_ends_the_sweep() -> None:
    stage = Stage(3 * SWEPT_AT_ONCE)
    with stage.faults(Fault(Probe, lambda _: None)) as (probes,):
        answers = cast(Iterator[object], sweep(stage.faulty, stage.world.machines, 5))
        next(answers)
        answers.close()  # type: ignore[attr-defined]
    assert len(probes) <= SWEPT_AT_ONCE


def test_a_survey_tells_of_each_server_why_it_cannot_be_had() -> None:
    stage = Stage()
    stage.machine("r1u00").claim = FOREIGN
    stage.machine("r2u01").traces = ("/etc/kubernetes",)
    stage.machine("r3u02").powered = False
    servers = stage.site.survey().servers
    why = {name: server.why_no_spare for name, server in servers.items() if server.why_no_spare}
    assert why.keys() == {"r1u00", "r2u01", "r3u02"}
    assert "claimed by cluster other" in why["r1u00"]
    assert "not clean: /etc/kubernetes" in why["r2u01"]
    assert servers["r3u02"].probed is None
