"""`rpool watch` of this checkout, in another terminal, follows a run that goes on elsewhere. There
may be nothing but busybox and terraform; what both have are the servers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hcp.modelled import PAUSE_SECONDS, ToldOfModelled
from hcp.story import Runs
from hcp.workspace import CHANGES, DONE, OUTPUT, SLUG, Moment
from rpool.cli.watch import under_way
from rpool.model.event import Event
from rpool.simulate import FILE_NAME
from rpool.simulate.store import Store

Look = dict[str, Any]


class WatchedRuns(Runs):
    def test_rpool_watch_sees_a_run_begin_go_on_and_end(self, told: ToldOfModelled) -> None:
        workspace = told.workspace
        for name in told.grown:
            workspace.variables.pop(name, None)
        workspace.run()
        workspace.variables |= told.grown
        planned = workspace.plan()
        assert planned.status == CHANGES, planned.output
        steps: list[str] = []
        with watching(told.folder) as looks:
            assert next(looks)["under_way"] == []

            def look() -> None:
                busy = next(one for one in looks if one["under_way"])
                assert {step["owner"] for step in busy["under_way"]} == {SLUG}
                steps.extend(step["step"] for step in busy["under_way"])

            moments = (new_step(told.folder, steps) for _ in range(2))
            applied = workspace.halt(planned, moments, look)
            assert applied.status == DONE, applied.output
            (cluster,) = workspace.state.clusters
            members = next(
                names for names in map(settled, looks) if names == set(cluster["servers"])
            )
        assert len(set(steps)) > 1
        assert len(members) > 1


def settled(look: Look) -> set[str]:
    """The members of a settled cluster; of another none."""
    if look["under_way"] or look["condition"] != "settled":
        return set()
    return {slot["name"] for slot in look["slots"] if slot["state"] == "member"}


@contextmanager
def watching(folder: Path) -> Iterator[Iterator[Look]]:
    """The looks that `rpool watch` prints, one a line, until the context ends."""
    command = [sys.executable, "-m", "rpool", "watch", "batch", "--json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.terminate()


def new_step(folder: Path, known: list[str]) -> Moment:
    """When a step that is not known yet is under way, by the servers' journals. The run stands
    still in it: it waits for its servers.
    """

    @contextmanager
    def reached(work: Path, process: subprocess.Popen[bytes]) -> Iterator[None]:
        while True:
            with closing(Store(folder / FILE_NAME)) as store, store.alone():
                assert process.poll() is None, (work / OUTPUT).read_text()
                if steps_under_way(store) - set(known):
                    yield
                    return
            with suppress(subprocess.TimeoutExpired):
                process.wait(PAUSE_SECONDS)

    return reached


def steps_under_way(store: Store) -> set[str]:
    machines = (store.load() or {}).values()
    lines = dict.fromkeys(line for machine in machines for line in machine.journal)
    events = [event for event in map(Event.of_line, lines) if event is not None]
    events.sort(key=lambda event: event.time)
    return {event.step for event, _ in under_way(events, datetime.now(UTC))}
