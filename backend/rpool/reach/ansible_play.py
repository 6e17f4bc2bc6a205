"""One run of `ansible-playbook` as a child process, and the events that it reports.

The child shares nothing with us but a folder and a socket. It has its own session, so a Ctrl-C
reaches us alone; its own environment, so no variable of the operator's changes what it does and no
secret in one reaches it; and a temporary folder as Ansible's home.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import yaml

MOST_AT_ONCE = 32
GRACE_SECONDS = 3.0
COMPLAINT_CHARACTERS = 4000


class _AsText(yaml.SafeDumper):
    """Writes each string, keys included, as `!unsafe`: Ansible never takes it for a template."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _AsText, text: str) -> yaml.Node:
    return dumper.represent_scalar("!unsafe", text, style='"')


_AsText.add_representer(str, _text)


def as_text(inventory: Mapping[str, Any]) -> str:
    """The inventory in YAML. Its values come from configurations and from clusters, and a template
    in one would run here, beside the process that has the key to all servers.
    """
    return yaml.dump(inventory, Dumper=_AsText, width=math.inf)


def ansible_folder() -> Path:
    """The folder with the playbook, the role and the plugins."""
    return Path(__file__).resolve().parents[3] / "ansible"


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the callback plugin (ansible/plugins/callback/rpool.py): a task's result, or that
    the play has ended on a server (`is_end`).
    """

    is_end: bool
    server: str
    outcome: str
    task: str = ""
    message: str = ""
    stdout: str = ""
    stderr: str = ""
    code: int | None = None

    @classmethod
    def from_line(cls, line: str) -> Event | None:
        """None for a line that is not the plugin's."""
        try:
            fields = json.loads(line)
            return cls(is_end=fields.pop("event") == "server", **fields)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


class Play:
    """Runs while it is entered; leaving it ends the child, finished or not.

    `folder` is private to this run, `socket` is the broker's.
    """

    def __init__(
        self, folder: Path, playbook: Path, inventory: Mapping[str, Any], socket: Path
    ) -> None:
        self._errors = folder / "errors"
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        inventory_file = folder / "inventory.yml"
        inventory_file.write_text(as_text(inventory), "utf-8")
        forks = min(MOST_AT_ONCE, len(inventory["all"]["hosts"]))
        # -P: nothing is imported from the folder that Terraform runs in.
        self._command = [sys.executable, "-P", "-m", "ansible.cli.playbook"]
        self._command += [f"--forks={forks}", f"--inventory={inventory_file}", str(playbook)]
        self._environment = _environment(folder, socket)
        self._folder = folder

    def __enter__(self) -> Self:
        with self._errors.open("wb") as errors:
            self._child = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        assert self._child.stdout is not None  # noqa: S101  # it is a pipe
        reader = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True)
        reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._ended.is_set():
            self._signal(signal.SIGTERM)
        try:
            self._child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._child.wait()

    @property
    def pid(self) -> int:
        """The pid of Ansible, from which all of its processes descend."""
        return self._child.pid

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)

    def events(self, deadline: float) -> Iterator[Event]:
        """The play's events, until it ends or the deadline (of time.monotonic) passes."""
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if line is None:
                return
            event = Event.from_line(line)
            if event is not None:
                yield event

    def complaint(self) -> str:
        """The end of what Ansible wrote to its standard error."""
        return self._errors.read_text("utf-8", "replace")[-COMPLAINT_CHARACTERS:]

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._lines.put(line)
        self._ended.set()
        self._lines.put(None)


def _environment(folder: Path, socket: Path) -> dict[str, str]:
    home = str(folder)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": home,
        "TMPDIR": home,
        "ANSIBLE_HOME": home,
        "ANSIBLE_LOCAL_TEMP": home,
        "ANSIBLE_CONFIG": str(ansible_folder() / "ansible.cfg"),
        "RPOOL_ANSIBLE_SOCKET": str(socket),
    }
