"""Killing terraform and its plugin at a point of an apply: by SIGKILL, so that no state is told.

What they had started elsewhere goes on: scripts on servers, and Ansible until it notices. The
processes are found from the one that was started here, and each is held by a descriptor, so that no
other process can be meant.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

from desk import Desk
from lab.site import cgroups
from lab.site.layout import Lab

from rpool.model.event import Result

REACHED_SECONDS = 300.0
GONE_SECONDS = 10.0
ENDS_SECONDS = 500.0
ENDED_SECONDS = 60.0
FIELD = re.compile(r' (server|step|outcome)=(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True)
class Said:
    """A line of the plugin's log: what became of a step."""

    server: str
    step: str
    outcome: Result


@dataclass(frozen=True)
class Point:
    """`seconds` after a step was started or done; `*` in its name is any server. With a `command`
    they count from when a server is seen to run it: a script is really in its middle.
    """

    step: str
    outcome: Result = Result.STARTED
    seconds: float = 0.0
    command: str = ""

    @property
    def is_inside(self) -> bool:
        """Whether the step must still be running."""
        return bool(self.seconds or self.command)

    def __str__(self) -> str:
        also = f", {self.command} runs" if self.command else ""
        later = f", {self.seconds} s later" if self.seconds else ""
        return f"{self.step} {self.outcome.value}{also}{later}"

    def is_of(self, step: str) -> bool:
        return fnmatchcase(step, self.step)

    def is_reached(self, said: list[Said], lab: Lab) -> bool:
        if not any(self.is_of(its.step) and its.outcome is self.outcome for its in said):
            return False
        return not self.command or any(self.command in its for its in cgroups.commands(lab.name))


@dataclass(frozen=True)
class Killed:
    """What the log had said by the end: servers that it named, steps that had not ended, and those
    that were done.
    """

    seconds: float
    servers: frozenset[str]
    running: frozenset[str]
    done: frozenset[str]
    ended_after_seconds: float  # what they had started on this machine was gone then, too


def killed_at(desk: Desk, point: Point) -> Killed:
    """Apply, and kill terraform and the plugin at that point. Returns once both are gone.

    Raises AssertionError when the apply ended before it, or was not in that step any more.
    """
    log = desk.folder / "killed.log"
    log.unlink(missing_ok=True)
    begun = time.monotonic()
    terraform = desk.start_terraform("apply", "-auto-approve", log=log)
    with ExitStack() as stack:
        try:
            reach(point, desk.lab, terraform, log)
            time.sleep(point.seconds)
        finally:
            tree = Tree(terraform, stack)
            tree.kill()
        seconds = time.monotonic() - begun
        ended_after = tree.await_end()
    killed = _killed(log, seconds, ended_after)
    if point.is_inside:
        assert any(map(point.is_of, killed.running)), f"{point.step} had ended: {killed}"
    return killed


@dataclass(frozen=True)
class Ended:
    """How an apply ended in the middle of which something happened to `server`."""

    server: str
    status: int
    printed: str
    seconds: float


def struck_at(
    desk: Desk, point: Point, strike: Callable[[str, subprocess.Popen[bytes]], None], *words: str
) -> Ended:
    """Run terraform (an apply, unless words say otherwise), let something happen to the server of
    that point, or to terraform, once it is reached, and wait until terraform ends by itself.
    """
    log = desk.folder / "struck.log"
    log.unlink(missing_ok=True)
    begun = time.monotonic()
    terraform = desk.start_terraform(*(words or ("apply", "-auto-approve")), log=log)
    try:
        reach(point, desk.lab, terraform, log)
        time.sleep(point.seconds)
        reached = (its for its in said(log) if point.is_of(its.step))
        server = next(its.server for its in reached if its.outcome is point.outcome)
        strike(server, terraform)
        terraform.wait(ENDS_SECONDS)
    finally:
        if terraform.poll() is None:
            terraform.kill()
            terraform.wait()
    printed = log.with_suffix(".out").read_text()
    return Ended(server, terraform.returncode, printed, time.monotonic() - begun)


def reach(point: Point, lab: Lab, terraform: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + REACHED_SECONDS
    while not point.is_reached(said(log), lab):
        if terraform.poll() is not None:
            printed = log.with_suffix(".out").read_text()
            raise AssertionError(f"the apply ended before: {point}\n{printed}")
        assert time.monotonic() < deadline, f"not reached within {REACHED_SECONDS} s: {point}"
        time.sleep(0.005)


def said(log: Path) -> list[Said]:
    """What a log has by now; not its last line while that is half written."""
    text = log.read_text() if log.exists() else ""
    whole = text.rpartition("\n")[0].splitlines()
    lines = [{k: quoted or bare for k, quoted, bare in FIELD.findall(line)} for line in whole]
    return [
        Said(line["server"], line["step"], Result(line["outcome"]))
        for line in lines
        if len(line) == len(fields(Said))
    ]


def _killed(log: Path, seconds: float, ended_after: float) -> Killed:
    lines = said(log)
    started, done, failed = (
        frozenset(its.step for its in lines if its.outcome is outcome)
        for outcome in (Result.STARTED, Result.DONE, Result.FAILED)
    )
    servers = frozenset(its.server for its in lines)
    return Killed(seconds, servers, started - done - failed, done, ended_after)


class Tree:
    """Terraform, its plugins (all that it started itself) and what these have started."""

    def __init__(self, terraform: subprocess.Popen[bytes], stack: ExitStack) -> None:
        self._terraform = terraform
        parents = _parents()
        plugins = [pid for pid, parent in parents.items() if parent == terraform.pid]
        rest = [pid for plugin in plugins for pid in _below(plugin, parents)]
        self._killed = _descriptors([terraform.pid, *plugins], stack)
        self._rest = _descriptors(rest, stack)

    def kill(self) -> None:
        for descriptor in self._killed:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        self._terraform.wait()
        assert _all_end(self._killed, GONE_SECONDS), "a process outlived SIGKILL"

    def await_end(self) -> float:
        """Seconds until what the plugin had started on this machine has ended by itself."""
        begun = time.monotonic()
        assert _all_end(self._rest, ENDED_SECONDS), "what the killed plugin had started runs on"
        return time.monotonic() - begun


def _parents() -> dict[int, int]:
    """The parent of each process of this machine."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            after_name = (folder / "stat").read_text().rpartition(")")[2]
            parents[int(folder.name)] = int(after_name.split()[1])
    return parents


def _below(process: int, parents: dict[int, int]) -> Iterator[int]:
    for child, parent in parents.items():
        if parent == process:
            yield child
            yield from _below(child, parents)


def started_by(process: int, command: str) -> list[int]:
    """The processes that one has started, also through others, with this in their command line."""
    found = []
    for pid in _below(process, _parents()):
        with suppress(OSError):
            if command.encode() in (Path("/proc") / str(pid) / "cmdline").read_bytes():
                found.append(pid)
    return found


def _descriptors(processes: list[int], stack: ExitStack) -> list[int]:
    found = []
    for process in processes:
        with suppress(ProcessLookupError):  # it has ended since
            descriptor = os.pidfd_open(process)
            stack.callback(os.close, descriptor)
            found.append(descriptor)
    return found


def _all_end(descriptors: list[int], seconds: float) -> bool:
    """Whether each process ends in time: then its descriptor can be read."""
    deadline = time.monotonic() + seconds
    for descriptor in descriptors:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], left)[0]:
            return False
    return True
