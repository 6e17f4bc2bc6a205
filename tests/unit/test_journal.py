"""The journal on servers that come and go while it is written."""

from __future__ import annotations

import threading
from dataclasses import replace

from worlds.fault import Fault
from worlds.stage import FOREIGN, Stage

from rpool.flow.journal import Journal
from rpool.model import action as act
from rpool.model.event import Result
from rpool.model.step import Step

SERVER = "r1u00"
CLAIM = replace(FOREIGN, server=SERVER)


def test_lines_that_are_written_as_a_server_is_reset_cost_none_of_its_next_life() -> None:
    stage = Stage(3)
    stage.machine(SERVER).claim = CLAIM
    reset = Step(act.Reset(SERVER, CLAIM.ownership, None))
    slow, writing = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        writing.set()
        slow.wait(20)

    with (
        stage.faults(Fault(act.AppendJournal, hold, times=1)),
        Journal("batch", stage.faulty, stage.attempt()) as journal,
    ):
        journal.keep_on(SERVER, CLAIM.ownership)
        journal.tell(reset, Result.FAILED, 1.0, "")
        assert writing.wait(20)
        journal.tell(reset, Result.STARTED, 0.0, "")
        journal.keep_on(SERVER, CLAIM.ownership)
        journal.tell(reset, Result.DONE, 2.0, "")
        slow.set()
    assert len(stage.machine(SERVER).journal) == 2
