"""Runs as HCP Terraform has them: a plan, and an apply of that plan in another environment.

A workspace keeps the configuration, the variables, the state with its lock, and the saved plan of
a run. All else in an environment is gone with it.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from protocol.process_tree import Tree
from protocol.workspace import Ran

from hcp.state_server import State

ORGANIZATION, NAME = "acme", "metal-ams"
SLUG = f"{ORGANIZATION}/{NAME}"
PLAN, LOG, OUTPUT = "run.tfplan", "run.log", "run.out"
DONE, CHANGES = 0, 2
ENDS_SECONDS = 500.0


class Environment(Protocol):
    """Where one phase of a run is. `work` is the folder that Terraform runs in, seen from here."""

    @property
    def work(self) -> Path: ...

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        """The process is terraform's own, and what it prints goes to OUTPUT in `work`."""


Environments = Callable[[], AbstractContextManager[Environment]]
Moment = Callable[[Path, subprocess.Popen[bytes]], AbstractContextManager[None]]
"""Entered once it is reached. The run in that folder, by that process, goes no further before the
context ends. (With real servers it does.)
"""


@dataclass(frozen=True)
class Planned:
    status: int
    output: str
    file: bytes


@dataclass
class Workspace:
    """`plans` has all saved plans, `init_seconds` the seconds of each `terraform init`."""

    configuration: Mapping[str, bytes]
    variables: dict[str, str]
    environments: Environments
    state: State
    address: str
    runs: int = 0
    plans: list[bytes] = field(default_factory=list)
    init_seconds: list[float] = field(default_factory=list)

    def plan(self, *more: str) -> Planned:
        self.runs += 1
        with self._environment() as environment:
            words = ("plan", "-no-color", f"-out={PLAN}", "-detailed-exitcode", *more)
            ran = self._finished(environment, *words)
            file = environment.work / PLAN
            saved = file.read_bytes() if file.exists() else b""
            self.plans += [saved] if saved else []
            return Planned(ran.status, ran.output, saved)

    def apply(self, planned: Planned) -> Ran:
        with self._environment(planned) as environment:
            return self._finished(environment, "apply", "-no-color", PLAN)

    def run(self, *more: str) -> tuple[Planned, Ran]:
        """Plan, which must have changes, and apply."""
        planned = self.plan(*more)
        assert planned.status == CHANGES, planned.output
        applied = self.apply(planned)
        assert applied.status == DONE, applied.output
        return planned, applied

    def kill(self, planned: Planned, moment: Moment) -> None:
        """Kill Terraform and the plugin at a moment of the apply, as a forced cancel does."""
        with self._applying(planned) as (environment, process), ExitStack() as stack:
            with moment(environment.work, process):
                tree = Tree(process, stack)
                tree.kill()
            tree.await_end()

    def cancel(self, planned: Planned, moment: Moment) -> Ran:
        """Ask Terraform to stop, once, at a moment of the apply; it ends by itself."""
        with self._applying(planned) as (environment, process):
            with moment(environment.work, process):
                process.send_signal(signal.SIGINT)
            process.wait(ENDS_SECONDS)
            return Ran(process.returncode, (environment.work / OUTPUT).read_text())

    def halt(self, planned: Planned, moments: Iterable[Moment], look: Callable[[], None]) -> Ran:
        """An apply that stands still at each of these moments until `look` has returned."""
        with self._applying(planned) as (environment, process):
            for moment in moments:
                with ExitStack() as stack, ExitStack() as still:
                    with moment(environment.work, process):
                        still.enter_context(Tree(process, stack).standing_still())
                    look()
            process.wait(ENDS_SECONDS)
            return Ran(process.returncode, (environment.work / OUTPUT).read_text())

    @contextmanager
    def _applying(self, planned: Planned) -> Iterator[tuple[Environment, subprocess.Popen[bytes]]]:
        with self._environment(planned) as environment:
            process = environment.start("apply", "-no-color", PLAN, **self._settings())
            try:
                yield environment, process
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    @contextmanager
    def _environment(self, planned: Planned | None = None) -> Iterator[Environment]:
        with self.environments() as environment:
            for name, content in self.configuration.items():
                (environment.work / name).write_bytes(content)
            if planned is not None:
                (environment.work / PLAN).write_bytes(planned.file)
            begun = time.monotonic()
            ran = self._finished(environment, "init", "-no-color")
            self.init_seconds.append(time.monotonic() - begun)
            assert ran.status == DONE, ran.output
            yield environment

    def _finished(self, environment: Environment, *words: str) -> Ran:
        process = environment.start(*words, **self._settings())
        process.wait(ENDS_SECONDS)
        return Ran(process.returncode, (environment.work / OUTPUT).read_text())

    def _settings(self) -> dict[str, str]:
        """The environment variables of a run: they have all its settings."""
        return {
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_HTTP_ADDRESS": self.address,
            "TF_HTTP_LOCK_ADDRESS": self.address,
            "TF_HTTP_UNLOCK_ADDRESS": self.address,
            "TF_LOG_PROVIDER": "INFO",
            "TF_LOG_PATH": LOG,
            "TFC_RUN_ID": f"run-{self.runs}",
            "TFC_WORKSPACE_NAME": NAME,
            "TFC_WORKSPACE_SLUG": SLUG,
            **self.variables,
        }
