# Copyright: the rpool authors
# GNU General Public License v3.0+ (see LICENSE in this folder's parent)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells a play's progress as lines of JSON, for the engine that started it.

The engine starts with a server as soon as that server is through the play, while others are still
at work, so a `server` line is written then and not at the end of the play.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook import Playbook
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: rpool
type: stdout
short_description: lines of JSON on standard output
description:
  - 'For each result of a task: C({"event": "task", "server", "task", "outcome", "message",
    "stdout", "stderr", "code"}), where outcome is ok, changed, skipped, failed or unreachable, and
    code the exit status, if there was one.'
  - 'For each server, once, as soon as it is through or has failed: C({"event": "server",
    "server", "outcome"}), where outcome is ok, failed or unreachable; when it is not ok, also what
    the C(task) line has.'
author: the rpool authors
version_added: "0.1.0"
"""


class CallbackModule(CallbackBase):
    """One line for each result, one more for each server that is through."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "rpool"

    def __init__(self) -> None:
        super().__init__()
        self._last_task = ""
        self._plays_left = 0
        self._told: set[str] = set()

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._plays_left = len(playbook.get_plays())

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Only the last play's last task ends a server's way."""
        self._plays_left -= 1
        tasks = [task for block in play.compile() for task in _tasks(block)]
        self._last_task = tasks[-1]._uuid if tasks and self._plays_left == 0 else ""

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._task(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        self._task(result, "skipped")

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        self._task(result, "ok" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._task(result, "unreachable")

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """What a play that ends in an unusual way has not told yet."""
        for server in sorted(set(stats.processed) - self._told):
            failed = stats.failures.get(server) or stats.dark.get(server)
            self._server(server, {"outcome": "failed" if failed else "ok"})

    def _task(self, result: CallbackTaskResult, outcome: str) -> None:
        server = result.host.get_name()
        told: dict[str, object] = {
            "task": result.task.get_name(),
            "outcome": outcome,
            "message": _text(result.result.get("msg")),
            "stdout": _text(result.result.get("stdout") or result.result.get("module_stdout")),
            "stderr": _text(result.result.get("stderr") or result.result.get("module_stderr")),
            "code": result.result.get("rc"),
        }
        self._write({"event": "task", "server": server, **told})
        if outcome in ("failed", "unreachable"):
            self._server(server, told)
        elif result.task._uuid == self._last_task:
            self._server(server, {"outcome": "ok"})

    def _server(self, server: str, told: dict[str, object]) -> None:
        if server not in self._told:
            self._told.add(server)
            self._write({"event": "server", "server": server, **told})

    def _write(self, line: dict[str, object]) -> None:
        # Not through Display: it would wrap the line and log it.
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _tasks(block: Any) -> list[Task]:
    """The tasks of a block in their order, without those that act on the play itself."""
    found: list[Task] = []
    for part in block.block:
        if hasattr(part, "block"):
            found.extend(_tasks(part))
        elif part.action not in ("meta", "ansible.builtin.meta"):
            found.append(part)
    return found


def _text(value: object) -> str:
    return "" if value is None else str(value)
