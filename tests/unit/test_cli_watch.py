"""`rpool watch`: what an apply does elsewhere is seen as it goes on."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from worlds.folder import SIMULATED, made_in
from worlds.stage import BIGGER, SPEC, Stage, killed, made

from rpool.cli.main import main
from rpool.cli.state import cluster_facts
from rpool.cli.watch import EVENTS_SHOWN, Look, drawn, looks, under_way
from rpool.errors import SpecError
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.event import Event, Result
from rpool.model.server import Role
from rpool.model.view import PoolView

AT = datetime(2026, 11, 30, 10, 3, tzinfo=UTC)
JOIN = Event("2026-11-30T10:02:30.000+00:00", "batch", "r2u04", "join r2u04", Result.STARTED)
DONE = replace(JOIN, outcome=Result.DONE, time="2026-11-30T10:02:50.000+00:00")


class Clock:
    """A clock that only waits move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def watched(stage: Stage, view: PoolView, clock: Clock | None = None) -> Iterator[Look]:
    clock = clock or Clock()
    return looks(stage.site, view.uid, clock.wait, clock)


def screen(look: Look) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as printed:
        console.print(drawn(look))
    return printed.get()


def test_a_step_is_under_way_until_it_has_ended_or_was_cut_off() -> None:
    assert under_way([JOIN], AT) == [(JOIN, 30.0)]
    assert under_way([JOIN, DONE], AT) == []
    assert under_way([JOIN], AT + timedelta(hours=1)) == []
    other = replace(JOIN, server="r2u05", step="join r2u05")
    assert under_way([JOIN, other, DONE], AT) == [(other, 30.0)]
    assert under_way([replace(JOIN, time="soon")], AT) == []


def test_a_screen_has_the_cluster_its_servers_what_is_under_way_and_what_was_done() -> None:
    stage, view = made()
    look = next(watched(stage, view))
    text = screen(look)
    assert f"Cluster batch ({view.uid}): settled" in text
    assert all(name in text for name in view.servers)
    assert "Nothing is under way." in text
    assert text.splitlines()[-1].endswith("record settled           done in 0.0 s")
    assert len([line for line in text.splitlines() if line.startswith("20")]) == EVENTS_SHOWN
    busy = replace(look, events=(*look.events, replace(JOIN, owner="ann@desk")), at=AT)
    line = next(row for row in screen(busy).splitlines() if row.startswith("join r2u04"))
    assert line.split() == ["join", "r2u04", "30", "s", "ann@desk"]


def test_who_joins_by_an_apply_elsewhere_is_seen_some_seconds_later() -> None:
    stage, view = made()
    clock = Clock()
    watching = watched(stage, view, clock)
    first = next(watching)
    bigger = stage.become(view, BIGGER)
    (joined,) = bigger.servers.keys() - view.servers.keys()
    second = next(watching)
    assert second.slots == first.slots
    assert any(event.step == f"join {joined}" for event in second.events)
    while clock.now < 6:
        second = next(watching)
    assert joined in {slot.name for slot in second.slots}


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (
            act.TakeClaim,
            "It is being created, or its create was interrupted: no control plane has joined",
        ),
        (act.Init, "It is being created, or its create was interrupted"),
        (act.SetPhase, "bootstrapping"),  # its record says so by then
    ],
)
def test_a_cluster_that_is_being_made_is_no_failure(after: type[act.Action], says: str) -> None:
    stage = Stage()
    with killed(stage, after):
        stage.site.create_pool(SPEC, stage.attempt())
    look = next(looks(stage.site, "batch"))
    assert f"Cluster batch ({look.cluster.uid}): incomplete" in screen(look)
    assert says in screen(look)
    assert cluster_facts(look.cluster)["condition"] == "incomplete"


def test_a_cluster_whose_record_was_deleted_is_told_from_none() -> None:
    stage, view = made()
    stage.cluster(view).record = None
    text = screen(next(looks(stage.site, "batch")))
    assert "It is being created, or its create was interrupted, or its record was deleted" in text


def test_a_cluster_that_is_being_destroyed_is_no_failure() -> None:
    stage, view = made()
    with killed(stage, act.Reset):
        stage.site.destroy_pool(view, stage.attempt())
    for name in stage.claimed():
        claim = stage.machine(name).claim
        assert claim is not None
        stage.machine(name).claim = replace(claim, phase=Phase.LEAVING)
    text = screen(next(looks(stage.site, "batch")))
    assert f"Cluster batch ({view.uid}): incomplete" in text
    assert "It is being destroyed, or its destroy was interrupted" in text


def test_a_cluster_that_is_destroyed_meanwhile_is_shown_without_servers() -> None:
    stage, view = made()
    clock = Clock()
    watching = watched(stage, view, clock)
    next(watching)
    stage.site.destroy_pool(view, stage.attempt())
    while clock.now < 6:
        last = next(watching)
    assert last.slots == ()
    assert "Cluster batch" in screen(last)


def test_a_cluster_that_there_is_not_is_an_error() -> None:
    stage = Stage()
    with pytest.raises(SpecError, match="no server of the fleet belongs to a cluster"):
        next(looks(stage.site, SPEC.name))


def test_json_is_a_line_a_look(tmp_path: Path) -> None:
    view = made_in(tmp_path)
    command = [sys.executable, "-m", "rpool", "watch", "batch", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.terminate()
    for line in lines:
        assert (line["id"], line["condition"], line["under_way"]) == (view.uid, "settled", [])
        workers = {slot["name"] for slot in line["slots"] if slot["kind"] == Role.WORKER}
        assert workers == {n for n, member in view.servers.items() if member.role is Role.WORKER}


def test_on_a_screen_it_is_said_that_servers_are_modelled_and_before_it_too(tmp_path: Path) -> None:
    made_in(tmp_path)
    parent_end, child_end = pty.openpty()
    command = [sys.executable, "-m", "rpool", "watch", "batch"]
    screen = {**os.environ, "TERM": "xterm"}
    with (
        subprocess.Popen(
            command, cwd=tmp_path, stdout=child_end, stderr=child_end, env=screen
        ) as process,
        os.fdopen(parent_end, "rb", buffering=0) as terminal,
    ):
        os.close(child_end)
        output = b""
        while b"Nothing is under way" not in output:
            output += terminal.read(4096)
        process.terminate()
    before, on_screen = output.split(b"\x1b[?1049h")
    assert before.decode().splitlines() == SIMULATED.splitlines()
    assert on_screen.count(b"SIMULATED") == 1


def test_without_a_terminal_it_says_what_to_call_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_in(tmp_path)
    assert main(["watch", "batch", "--site", str(tmp_path / "site.yaml")]) == 1
    assert "rpool journal batch --follow" in capsys.readouterr().err
