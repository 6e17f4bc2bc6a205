"""`rpool journal`: what was done to a cluster, by whom, in which run; each line once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from worlds.fault import Fault, ReadJournal
from worlds.folder import OWNER, SIMULATED, SPEC, made_in
from worlds.samples import FOREIGN
from worlds.stage import made

from rpool.cli.journal import told
from rpool.cli.main import main
from rpool.errors import Unreachable
from rpool.flow.chronicle import Chronicle
from rpool.flow.session import default_run
from rpool.model.event import Event, Result
from rpool.model.pool import ControlPlane, Endpoint
from rpool.simulate import FILE_NAME

Output = pytest.CaptureFixture[str]
EVENT = Event("2026-11-30T10:02:11.000+00:00", "batch", "r2u04", "join r2u04", Result.STARTED)
RUN = "https://github.com/acme/net/actions/runs/17"


@pytest.fixture
def in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/net")
    monkeypatch.setenv("GITHUB_RUN_ID", "17")


@pytest.mark.parametrize("lines", ["0", "x", "-1", "100001"])
def test_a_number_of_lines_that_is_none_is_told(lines: str, capsys: Output) -> None:
    with pytest.raises(SystemExit):
        main(["journal", "batch", f"--lines={lines}"])
    assert "--lines: must be a number from 1 to 100000" in capsys.readouterr().err


def test_a_journal_tells_who_worked_there_in_which_run_and_how_it_went(
    tmp_path: Path, capsys: Output, in_ci: None
) -> None:
    view = made_in(tmp_path)
    site = ["--site", str(tmp_path / "site.yaml")]
    assert main(["journal", "batch", *site]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"-- {OWNER} {RUN}"
    assert lines[-1].split()[2:] == ["record", "settled", "done", "in", "0.0", "s"]
    assert any(f"join {name}" in line for name in view.servers for line in lines)
    assert main(["journal", view.uid, "--json", "--lines", "3", *site]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(events) == 3
    assert {(event["pool"], event["owner"], event["run"]) for event in events} == {
        ("batch", OWNER, RUN)
    }


def test_what_several_control_planes_have_is_told_once_in_the_order_of_time() -> None:
    stage, view = made()
    chronicle = stage.site.journal(view.control_planes, 1000)
    kept = {line for name in view.control_planes for line in stage.machine(name).journal}
    assert {event.as_json() for event in chronicle.events} == kept
    assert len(chronicle.events) == len(kept)
    times = [event.time for event in chronicle.events]
    assert times == sorted(times)


def test_a_control_plane_that_does_not_answer_is_named_and_the_others_tell() -> None:
    stage, view = made()
    (silent, *_) = view.control_planes
    silence = Fault(
        ReadJournal, Unreachable("no contact"), where=lambda call: call.server == silent
    )
    with stage.faults(silence):
        chronicle = stage.site.journal(view.control_planes, 10)
    assert chronicle.silent.keys() == {silent}
    assert len(chronicle.events) == 10


def test_the_command_says_who_did_not_answer(tmp_path: Path, capsys: Output) -> None:
    three = replace(SPEC, control_plane=ControlPlane(3, Endpoint(vip="10.0.1.200")))
    view = made_in(tmp_path, three)
    lost = view.control_planes[0]
    assert main(["simulate", "lose", lost, "--file", str(tmp_path / FILE_NAME)]) == 0
    assert main(["journal", "batch", "--lines", "1", "--site", str(tmp_path / "site.yaml")]) == 0
    captured = capsys.readouterr()
    assert "record settled" in captured.out
    silent = f"No answer from {lost}: {lost} cannot be reached (simulated)\n"
    assert captured.err == SIMULATED + silent


def test_who_follows_reads_each_event_once_and_what_comes() -> None:
    later = replace(EVENT, time="2026-11-30T10:02:40.000+00:00", outcome=Result.DONE)
    looks: Iterator[Chronicle] = iter(
        [Chronicle((EVENT,), {}), Chronicle((), {}), Chronicle((EVENT, later), {})]
    )
    waits: list[float] = []
    events = told(next(looks), lambda: next(looks), waits.append)
    assert list(islice(events, 2)) == [EVENT, later]
    assert len(waits) == 2


@pytest.mark.parametrize(
    "line",
    [
        "",
        '{"format": 1, "time": "2026-11',
        "[" * 100_000,
        EVENT.as_json().replace('"format":1', '"format":2'),
        EVENT.as_json().replace("0.0", "NaN"),
        EVENT.as_json().replace("started", "?"),
        FOREIGN.uid,
    ],
)
def test_a_line_that_is_half_written_or_of_another_rpool_is_left_out(line: str) -> None:
    assert Event.of_line(line) is None


def test_a_line_is_read_as_it_was_written_and_steers_no_terminal() -> None:
    assert Event.of_line(EVENT.as_json()) == EVENT
    evil = Event.of_line(replace(EVENT, detail="\x1b[2J" + "x" * 5000, owner="\x1b").as_json())
    assert evil is not None
    assert "\x1b" not in str(evil) + evil.owner
    assert len(evil.detail) == 1000


@pytest.mark.parametrize(
    ("environment", "run"),
    [
        ({}, ""),
        ({"TFC_RUN_ID": "run-1", "TFC_WORKSPACE_SLUG": "acme/net"}, "acme/net/runs/run-1"),
        ({"CI_JOB_URL": "https://gitlab.example/j/1"}, "https://gitlab.example/j/1"),
        ({"BUILD_URL": "https://jenkins.example/1"}, "https://jenkins.example/1"),
    ],
)
def test_the_run_is_told_by_the_environment_of_its_ci(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], run: str
) -> None:
    for name in ("TFC_RUN_ID", "GITHUB_RUN_ID", "CI_JOB_URL", "BUILD_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_run() == run
