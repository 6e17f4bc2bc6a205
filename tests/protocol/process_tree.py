"""Terraform, its plugins and what these have started, as processes that can be killed together, or
stopped for a while.

They are found from the one that was started here, and each is held by a descriptor, so that no
other process can be meant.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

GONE_SECONDS = 10.0
ENDED_SECONDS = 60.0
_PAUSE_SECONDS = 0.001


class Tree:
    """Terraform, its plugins (all that it started itself) and what these have started."""

    def __init__(self, terraform: subprocess.Popen[bytes], stack: ExitStack) -> None:
        self._terraform = terraform
        parents = _parents()
        plugins = [pid for pid, parent in parents.items() if parent == terraform.pid]
        rest = [pid for plugin in plugins for pid in _below(plugin, parents)]
        self._pids = [terraform.pid, *plugins]
        self._killed = _descriptors(self._pids, stack)
        self._rest = _descriptors(rest, stack)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._terraform.wait()
        assert _all_end(self._killed, GONE_SECONDS), "a process outlived SIGKILL"

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop Terraform and its plugins, each thread of them; they go on afterwards."""
        self._signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            while not all(map(_stands_still, self._pids)):
                assert time.monotonic() - begun < GONE_SECONDS, "a process outran SIGSTOP"
                time.sleep(_PAUSE_SECONDS)
            yield
        finally:
            self._signal(signal.SIGCONT)

    def await_end(self) -> float:
        """Seconds until what the plugin had started on this machine has ended by itself."""
        begun = time.monotonic()
        assert _all_end(self._rest, ENDED_SECONDS), "what the killed plugin had started runs on"
        return time.monotonic() - begun

    def _signal(self, number: int) -> None:
        for descriptor in self._killed:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)


def _parents() -> dict[int, int]:
    """The parent of each process of this machine."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            after_name = (folder / "stat").read_text().rpartition(")")[2]
            parents[int(folder.name)] = int(after_name.split()[1])
    return parents


def _stands_still(process: int) -> bool:
    """Whether each thread of the process stands still, or has ended."""
    for thread in Path(f"/proc/{process}/task").glob("*/stat"):
        with suppress(OSError):
            if thread.read_text().rpartition(")")[2].split()[0] not in "TtZX":
                return False
    return True


def _below(process: int, parents: dict[int, int]) -> Iterator[int]:
    for child, parent in parents.items():
        if parent == process:
            yield child
            yield from _below(child, parents)


def started_by(process: int, command: str) -> list[int]:
    """The descendants of a process that have this in their command line."""
    pids = []
    for pid in _below(process, _parents()):
        with suppress(OSError):
            if command.encode() in (Path("/proc") / str(pid) / "cmdline").read_bytes():
                pids.append(pid)
    return pids


def _descriptors(processes: list[int], stack: ExitStack) -> list[int]:
    descriptors = []
    for process in processes:
        with suppress(ProcessLookupError):  # it has ended since
            descriptor = os.pidfd_open(process)
            stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
    return descriptors


def _all_end(descriptors: list[int], seconds: float) -> bool:
    """Whether each process ends in time: then its descriptor can be read."""
    deadline = time.monotonic() + seconds
    for descriptor in descriptors:
        remaining = max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], remaining)[0]:
            return False
    return True
