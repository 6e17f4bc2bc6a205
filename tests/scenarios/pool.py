"""A cluster that an operator resizes with Terraform, on real servers or on modelled ones.

What the operator does is the same for both and is here. How the site is observed differs, and is
with each: `modelled.py`, and the lab's in tests/lab.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from rpool.model.claim import Claim
from scenarios import state

NO_CHANGES, FAILED, CHANGES = 0, 1, 2
REPAIR_SECONDS = 240
"""At most, from the loss of a member until a plan would repair it, with a grace of 30 s."""
LONGEST_GAP_SECONDS = 10.0
OWN_STEPS = ("claim ", "prepare ", "join ", "member ", "leave ", "step down ", "reset ")
"""Steps that change something on their own server; the others go through the cluster's API."""

Done = subprocess.CompletedProcess[str]


@dataclass
class Gaps:
    """When an address answered, on the monotonic clock."""

    longest_seconds: float = 0.0
    asked: int = 0
    failed: int = 0
    last_good: float = field(default_factory=time.monotonic)

    def note(self, good: bool) -> None:
        self.asked += 1
        if not good:
            self.failed += 1
            return
        self.close()
        self.last_good = time.monotonic()

    def close(self) -> None:
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - self.last_good)


@dataclass(frozen=True)
class Changed:
    """What an apply did: servers that joined and left, steps; its output without line breaks."""

    joined: set[str]
    left: set[str]
    steps: set[str]
    said: str


class Pool(ABC):
    """The cluster `demo` of the example, in `folder` with its fleet.yaml. `network` is the first
    three numbers of all addresses; `given_back` are the servers that have left it, `lost` those
    without power.
    """

    def __init__(self, folder: Path, network: str, variables: dict[str, Any]) -> None:
        self.folder = folder
        self.network = network
        self.given_back: set[str] = set()
        self.lost: set[str] = set()
        self._variables = variables
        self.write()

    # -- what is different on each site ---------------------------------------------------------

    @abstractmethod
    def terraform(self, *words: str) -> Done:
        """Run it in the folder."""

    @abstractmethod
    def nodes(self) -> dict[str, str]:
        """The cluster's nodes and their state, in kubectl's words."""

    @abstractmethod
    def labels_and_taints(self, node: str) -> tuple[dict[str, str], set[str]]:
        """A node's labels, and the keys of its taints."""

    @abstractmethod
    def etcd_members(self) -> set[str]:
        """The names of the members, by etcd itself."""

    @abstractmethod
    def leftovers(self, server: str) -> str:
        """What a cluster left on a server; empty for a clean one."""

    @abstractmethod
    def journal_on(self, server: str) -> list[str]:
        """The lines of the journal that a server keeps."""

    @abstractmethod
    def lose(self, server: str) -> None:
        """Cut its power."""

    @abstractmethod
    def restore(self, server: str) -> None:
        """Give it power again; its disk is as it was."""

    @abstractmethod
    def fall_sick(self, server: str, what: Literal["kubelet", "disk"]) -> None:
        """Make its Node NotReady. A restart mends a kubelet; only a new join mends a disk."""

    @abstractmethod
    def holds_address(self) -> str:
        """The control plane that has the virtual IP."""

    @abstractmethod
    def pass_time(self) -> None:
        """A moment of waiting for something to be noticed."""

    @abstractmethod
    def plant(self, server: str, *paths: str) -> None:
        """Put files there that belong to no cluster, as root would; they go with the lab."""

    @abstractmethod
    def asking(self) -> AbstractContextManager[Gaps]:
        """Ask the application all the time, where there is one."""

    @abstractmethod
    def announces(self) -> bool:
        """Whether the cluster gives addresses to services."""

    @abstractmethod
    def await_application(self) -> None:
        """Wait until the application answers, where there is one."""

    @abstractmethod
    def spread_application(self) -> None:
        """Restart its copies: afterwards they are on as many workers as there are."""

    @abstractmethod
    def taken(self, server: str, claim: Claim) -> AbstractContextManager[None]:
        """The server has this claim inside the context."""

    @abstractmethod
    def figure(self, sentence: str) -> None:
        """Show a measurement at the end of the run, where it means something."""

    # -- what the operator writes ---------------------------------------------------------------

    def write(self, **variables: Any) -> None:
        self._variables |= variables
        (self.folder / "pool.auto.tfvars.json").write_text(json.dumps(self._variables))

    def mark(self, server: str, mark: str) -> None:
        """Say something about a server in the fleet."""
        path = self.folder / "fleet.yaml"
        text = re.sub(rf"^({server}: {{)", rf"\1{mark}: true, ", path.read_text(), flags=re.M)
        path.write_text(text)

    def unmark(self) -> None:
        path = self.folder / "fleet.yaml"
        path.write_text(re.sub(r"(retire|lost|reserved): true, ", "", path.read_text()))

    def forget(self, variable: str) -> None:
        del self._variables[variable]
        self.write()

    @contextmanager
    def also(self, name: str, text: str) -> Iterator[None]:
        """Add configuration in a file of its own; the file is as before afterwards."""
        path = self.folder / f"{name}.tf"
        before = path.read_text() if path.exists() else None
        path.write_text(text)
        try:
            yield
        finally:
            path.unlink() if before is None else path.write_text(before)

    # -- what the operator sees -----------------------------------------------------------------

    def state(self, name: str = "demo") -> dict[str, Any]:
        """The attributes of a cluster in the state; empty when it is not there."""
        return state.attributes(self.folder, name)

    def tainted(self, name: str = "demo") -> bool:
        return state.instance(self.folder, name).get("status") == "tainted"

    def members(self, name: str = "demo") -> set[str]:
        return set(self.state(name)["servers"])

    def with_role(self, role: str, name: str = "demo") -> list[str]:
        return state.with_role(self.folder, role, name)

    def sizes(self, servers: set[str]) -> list[tuple[int, int]]:
        """Cores and GiB of servers, by the fleet."""
        fleet = yaml.safe_load((self.folder / "fleet.yaml").read_text())
        return sorted((fleet[name]["cores"], fleet[name]["memory"]) for name in servers)

    def cores(self, servers: set[str]) -> int:
        return sum(cores for cores, _ in self.sizes(servers))

    def spares(self, *names: str) -> set[str]:
        """The servers of the fleet that the clusters of these names, and demo, do not have."""
        fleet = yaml.safe_load((self.folder / "fleet.yaml").read_text())
        return set(fleet) - self.members().union(*(self.members(name) for name in names))

    def journal(self, lost: str = "") -> set[str]:
        """The journal lines of the cluster's control planes, without those of a lost one."""
        control_planes = [name for name in self.with_role("control_plane") if name != lost]
        return {line for name in control_planes for line in self.journal_on(name)}

    # -- what the operator does -----------------------------------------------------------------

    def change(self, what: str, lost: str = "") -> Changed:
        """Plan and apply. Asserts that what the plan named was done and no other server changed.

        Asserts, too, that servers that left are clean (a lost one is not checked), that the
        application answered all the time, and that a plan after it is empty.
        """
        before, known = self.members(), self.journal(lost)
        named = self.planned("saved.tfplan")
        started = time.monotonic()
        with self.asking() as web:
            applied = self.terraform("apply", "saved.tfplan")
            seconds = time.monotonic() - started
        assert applied.returncode == 0, applied.stdout + applied.stderr
        after = self.members()
        joined, left = after - before, before - after
        assert joined | left == named
        self.given_back |= left
        self.figure(
            f"{what}: +{len(joined)} -{len(left)} in {seconds:.1f} s; application: longest gap "
            f"{web.longest_seconds:.1f} s, {web.failed} of {web.asked} requests failed"
        )
        events = [json.loads(line) for line in self.journal() - known]
        changed = {event["server"] for event in events if event["step"].startswith(OWN_STEPS)}
        assert changed <= named
        clean = left - {lost}
        assert {name: self.leftovers(name) for name in clean} == dict.fromkeys(clean, "")
        self.assert_settled()
        assert web.longest_seconds < LONGEST_GAP_SECONDS
        done = {event["step"] for event in events if event["outcome"] == "done"}
        return Changed(joined, left, done, _flat(applied.stdout))

    def apply(self) -> float:
        """Seconds of an apply, after which a plan is empty."""
        started = time.monotonic()
        applied = self.terraform("apply", "-auto-approve")
        seconds = time.monotonic() - started
        assert applied.returncode == 0, applied.stdout + applied.stderr
        self.assert_planned()
        return seconds

    def await_changes(self, says: str) -> str:
        """The output, without line breaks, of the first plan that has changes and says this."""
        end = time.monotonic() + REPAIR_SECONDS
        while True:
            planned = self.terraform("plan", "-detailed-exitcode")
            assert planned.returncode != FAILED, planned.stdout + planned.stderr
            output = _flat(planned.stdout)
            if planned.returncode == CHANGES and says in output:
                return output
            assert time.monotonic() < end, f"no plan said {says!r}: {planned.stdout}"
            self.pass_time()

    def done(self, known: set[str]) -> list[tuple[str, str]]:
        """Verb and server of the steps that were done since those lines of the journal."""
        events = [json.loads(line) for line in self.journal() - known]
        return [
            (event["step"].removesuffix(f" {event['server']}"), event["server"])
            for event in events
            if event["outcome"] == "done"
        ]

    def refused(self, *words: str) -> str:
        """Run Terraform, which must fail. Returns its errors without line breaks."""
        done = self.terraform(*words)
        assert done.returncode == FAILED, done.stdout
        return _flat(done.stderr)

    def assert_planned(self) -> None:
        """Asserts that a plan is empty."""
        again = self.terraform("plan", "-detailed-exitcode")
        assert again.returncode == NO_CHANGES, again.stdout + again.stderr

    def assert_settled(self) -> None:
        self.assert_planned()
        self.assert_members_are_settled()

    def assert_members_are_settled(self) -> None:
        """Asserts that the cluster's nodes are its servers, all Ready and taking pods, and that
        etcd's members are the control planes.
        """
        assert self.nodes() == dict.fromkeys(self.members(), "Ready")
        assert self.etcd_members() == set(self.with_role("control_plane"))

    def planned(self, plan: str) -> set[str]:
        """Plan, and save the plan. Returns the servers that it says will join or leave."""
        planned = self.terraform("plan", f"-out={plan}")
        assert planned.returncode == 0, planned.stdout + planned.stderr
        document = json.loads(self.terraform("show", "-json", plan).stdout)
        named: set[str] = set()
        for resource in document["resource_changes"]:
            sides = (resource["change"][side] or {} for side in ("before", "after"))
            before, after = (set(values.get("servers") or ()) for values in sides)
            named |= before ^ after
        return named


def _flat(printed: str) -> str:
    return " ".join(printed.replace("│", " ").split())
