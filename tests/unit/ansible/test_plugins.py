"""The plugins, in the real Ansible: the connection's three verbs and the callback's lines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds.fakes import playbook

from rpool.errors import Unreachable
from rpool.model.server import ServerName
from rpool.reach.ansible_broker import Broker, Run
from rpool.reach.ansible_play import Event, Play
from rpool.reach.ssh import Completed

Tell = Callable[..., list[Event]]


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    """Runs tasks on servers; the events that the play told."""

    def tell(tasks: str, **servers: Run) -> list[Event]:
        hosts: dict[ServerName, dict[str, str]] = {name: {} for name in servers}
        variables = {"ansible_connection": "rpool", "folder": str(tmp_path)}
        inventory = {"all": {"hosts": hosts, "vars": variables}}
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        with (
            Broker(home / "socket", servers) as broker,
            Play(home, playbook(tmp_path, tasks), inventory, broker.path) as play,
        ):
            broker.serve_only(play.pid)
            return list(play.events(time.monotonic() + 60))

    return tell


def here(command: str, stdin: bytes) -> Completed:
    """A server that is this machine; the test's files are in folders of its own."""
    done = subprocess.run(["sh", "-c", command], input=stdin, capture_output=True, check=False)
    return Completed(done.returncode, done.stdout, done.stderr)


def test_a_module_gets_its_input_and_its_output_comes_back(tell: Tell) -> None:
    tasks = (
        "    - ansible.builtin.command: {argv: [cat], stdin: 'some input', stdin_add_newline: no}\n"
        "      vars: {ansible_python_interpreter: '{{ ansible_playbook_python }}'}\n"
    )
    task, end = tell(tasks, r1u04=here)
    assert (task.is_end, task.outcome, task.code) == (False, "changed", 0)
    assert task.stdout == "some input"
    assert (end.is_end, end.server, end.outcome) == (True, "r1u04", "ok")


def test_files_travel_both_ways_unchanged(tell: Tell, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "there").write_bytes(content)
    tasks = (
        "    - ansible.builtin.copy: {src: '{{ folder }}/there', dest: '{{ folder }}/it s here'}\n"
        "      vars: {ansible_python_interpreter: '{{ ansible_playbook_python }}',"
        " ansible_remote_tmp: '{{ folder }}/tmp'}\n"
        "    - ansible.builtin.fetch: {src: '{{ folder }}/it s here', dest: '{{ folder }}/back',"
        " flat: yes}\n"
        "      vars: {ansible_python_interpreter: '{{ ansible_playbook_python }}',"
        " ansible_remote_tmp: '{{ folder }}/tmp'}\n"
    )
    events = tell(tasks, r1u04=here)
    assert events[-1].outcome == "ok", events
    assert (tmp_path / "it s here").read_bytes() == content
    assert (tmp_path / "back").read_bytes() == content


def test_a_failed_task_ends_its_server_with_all_that_was_said(tell: Tell) -> None:
    tasks = (
        "    - ansible.builtin.raw: echo out; echo err >&2; exit 7\n"
        "    - ansible.builtin.raw: echo more\n"
    )
    task, end = tell(tasks, r1u04=here)
    for event in (task, end):
        assert (event.outcome, event.code) == ("failed", 7)
        assert (event.stdout, event.stderr) == ("out\n", "err\n")
        assert event.message == "non-zero return code"


def test_a_server_whose_last_task_is_skipped_or_ignored_is_through(tell: Tell) -> None:
    skipped = "    - ansible.builtin.raw: echo\n      when: false\n"
    ignored = "    - ansible.builtin.raw: exit 1\n      ignore_errors: true\n"
    assert [event.outcome for event in tell(ignored + skipped, r1u04=here)] == [
        "ok",
        "skipped",
        "ok",
    ]


def test_an_unreachable_server_is_told_as_such_and_the_other_goes_on(tell: Tell) -> None:
    def gone(command: str, stdin: bytes) -> Completed:
        raise Unreachable("cannot reach r1u04")

    events = tell("    - ansible.builtin.raw: echo\n", r1u04=gone, r2u04=here)
    ends = {event.server: event for event in events if event.is_end}
    assert ends["r1u04"].outcome == "unreachable"
    assert "cannot reach r1u04" in ends["r1u04"].message
    assert ends["r2u04"].outcome == "ok"


def test_an_operator_s_own_settings_do_not_reach_the_play(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "nonsense")
    monkeypatch.setenv("TF_VAR_ssh_key", "secret")
    tasks = "    - ansible.builtin.raw: \"echo {{ lookup('env', 'TF_VAR_ssh_key') }}.\"\n"
    assert tell(tasks, r1u04=here)[0].stdout == ".\n"


def test_only_ansible_and_what_it_starts_is_answered(tmp_path: Path) -> None:
    ask = (
        "import socket, sys; client = socket.socket(socket.AF_UNIX); client.connect(sys.argv[1]); "
        """client.sendall(b'{"server": "r1u04", "command": "echo yes", "stdin": 0}\\n'); """
        "print(client.makefile('rb').read())"
    )

    def asked(path: Path) -> str:
        command = [sys.executable, "-c", ask, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    with Broker(tmp_path / "socket", {"r1u04": here}) as broker:
        broker.serve_only(os.getpid())
        assert "yes" in asked(broker.path)
        with subprocess.Popen(["sleep", "60"]) as stranger:
            broker.serve_only(stranger.pid)
            assert "yes" not in asked(broker.path)
            stranger.kill()
