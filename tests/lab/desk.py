"""What an operator at the desk does: run terraform, look at servers, ask an address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.cache import default_cache
from lab.settings import site, write_variables
from lab.site import bring_up, machines
from lab.site.layout import Lab
from lab.terraform import terraform
from scenarios import state
from scenarios.pool import Done, Gaps

CHECKOUT = Path(__file__).parent.parent.parent
EXAMPLE = CHECKOUT / "examples" / "terraform" / "one-cluster"
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"
CLAIM = "/var/lib/rpool/claim"


@dataclass(frozen=True)
class Desk:
    lab: Lab
    folder: Path
    binary: str
    site: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, lab: Lab, folder: Path) -> Desk:
        for path in EXAMPLE.glob("*.tf"):
            shutil.copy(path, folder)
        write_variables(lab, folder)
        return cls(lab, folder, terraform(default_cache()), site(lab))

    @property
    def vip(self) -> str:
        return str(self.site["vips"][0])

    @property
    def temporary(self) -> Path:
        """TMPDIR of a started terraform and its plugin; a killed one leaves its files there."""
        return self.folder / "tmp"

    def words(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.lab.desk}", "--", *command]

    def terraform(self, *words: str, log: Path | None = None, **more: str) -> Done:
        """Run it; `more` is for its environment."""
        if log is not None:
            more |= {"TF_LOG": "TRACE", "TF_LOG_PATH": str(log)}
        return subprocess.run(
            self._terraform(words),
            env=_environment(more),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start_terraform(
        self, *words: str, log: Path, group: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Let it run, in a group of users if one is given: the process is terraform's own, and
        `log` gets what the provider logs.
        """
        self.temporary.mkdir(exist_ok=True)
        environment = {
            "TF_LOG_PROVIDER": "INFO",
            "TF_LOG_PATH": str(log),
            "TMPDIR": str(self.temporary),
        }
        with log.with_suffix(".out").open("w") as printed:
            return subprocess.Popen(
                self._terraform(words),
                env=_environment(environment),
                cwd=self.folder,
                group=group,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )

    def _terraform(self, words: Sequence[str]) -> list[str]:
        return self.words(self.binary, words[0], "-no-color", *words[1:])

    def claims(self, *silent: str) -> dict[str, dict[str, Any]]:
        """The claims on all servers but the `silent` ones, by server; one without a claim is left
        out.
        """
        names = [server.name for server in self.lab.fleet if server.name not in silent]
        with ThreadPoolExecutor(max_workers=len(names)) as threads:
            texts = threads.map(lambda name: self.ssh(name, f"cat {CLAIM} 2>/dev/null || :"), names)
            by_server = dict(zip(names, texts, strict=True))
        return {name: json.loads(text) for name, text in by_server.items() if text}

    def reinstall(self, names: Collection[str]) -> None:
        """Give servers a new disk, and put their new host keys into the configuration."""
        bring_up.reinstall(default_cache(), self.lab, names)
        write_variables(self.lab, self.folder)

    def state(self) -> dict[str, Any]:
        """The attributes of the cluster `demo`; empty when it is not in the state."""
        return state.attributes(self.folder)

    def with_role(self, role: str) -> list[str]:
        return state.with_role(self.folder, role)

    def ssh(self, server: str, script: str) -> str:
        """Run a shell script on a server as root; its output, or an AssertionError with it."""
        done = subprocess.run(
            self.words(*machines.ssh(self.lab, server, "sh -s")),
            input=script,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{server}: {script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def is_up(self, server: str) -> bool:
        """Whether root can log in."""
        try:
            self.ssh(server, ":")
        except AssertionError:
            return False
        return True

    def kubectl(self, server: str, words: str) -> str:
        return self.ssh(server, f"{KUBECTL} {words}")

    def power(self, verb: str, server: str) -> None:
        words = [sys.executable, "-m", "lab", verb, "--name", self.lab.name, server]
        subprocess.run(words, cwd=CHECKOUT, check=True, timeout=60)

    def answers(self, url: str) -> str:
        """What one request gets within half a second, or nothing."""
        words = self.words("curl", "-sk", "-m", "0.5", url)
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout

    @contextmanager
    def asking(self, url: str, says: str) -> Iterator[Gaps]:
        """Ask an address all the time; afterwards the longest gap between good answers is known."""
        gaps, stop = Gaps(), threading.Event()

        def ask() -> None:
            while not stop.is_set():
                gaps.note(says in self.answers(url))
                stop.wait(0.15)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield gaps
        finally:
            stop.set()
            thread.join()
            gaps.close()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **more,
        "TF_CLI_CONFIG_FILE": str(CHECKOUT / "build" / "terraformrc"),
        "TF_IN_AUTOMATION": "1",
    }


def wait_for(what: str, seconds: float, holds: Callable[[], bool]) -> float:
    """Poll until it holds. Returns the seconds, or raises AssertionError with what did not come."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < seconds, f"{what} did not come within {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - start
