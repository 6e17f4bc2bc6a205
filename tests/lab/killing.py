"""Killing terraform and its plugin at a point of an apply: by SIGKILL, so that no state is written.

What they had started elsewhere goes on: scripts on servers, and Ansible until it notices.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from desk import Desk
from lab.site import cgroups
from lab.site.layout import Lab
from protocol.process_tree import Tree
from protocol.step_log import Said, said

from rpool.model.event import Result

REACHED_SECONDS = 300.0
ENDS_SECONDS = 500.0


@dataclass(frozen=True)
class Point:
    """`seconds` after a step was started or done; `*` in its name is any server. With a `command`
    they count from when a server runs that, so that a script is really in its middle.
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

    def is_reached(self, lines: list[Said], lab: Lab) -> bool:
        if not any(self.is_of(line.step) and line.outcome is self.outcome for line in lines):
            return False
        return not self.command or any(
            self.command in command for command in cgroups.commands(lab.name)
        )


@dataclass(frozen=True)
class Killed:
    """What the log had by the end: servers that it names, steps that had not ended, steps done."""

    seconds: float
    servers: frozenset[str]
    running: frozenset[str]
    done: frozenset[str]
    ended_after_seconds: float  # until all that they had started on this machine was gone


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
    """How an apply ended after something happened to `server` in its middle."""

    server: str
    status: int
    printed: str
    seconds: float


def struck_at(
    desk: Desk, point: Point, strike: Callable[[str, subprocess.Popen[bytes]], None], *words: str
) -> Ended:
    """Run terraform (an apply, unless `words` say otherwise) and wait until it ends by itself.

    Once the point is reached, `strike` lets something happen to its server or to terraform.
    """
    log = desk.folder / "struck.log"
    log.unlink(missing_ok=True)
    begun = time.monotonic()
    terraform = desk.start_terraform(*(words or ("apply", "-auto-approve")), log=log)
    try:
        reach(point, desk.lab, terraform, log)
        time.sleep(point.seconds)
        lines = (line for line in said(log) if point.is_of(line.step))
        server = next(line.server for line in lines if line.outcome is point.outcome)
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


def _killed(log: Path, seconds: float, ended_after: float) -> Killed:
    lines = said(log)
    started, done, failed = (
        frozenset(line.step for line in lines if line.outcome is outcome)
        for outcome in (Result.STARTED, Result.DONE, Result.FAILED)
    )
    servers = frozenset(line.server for line in lines)
    return Killed(seconds, servers, started - done - failed, done, ended_after)
