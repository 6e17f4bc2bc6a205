"""One cluster whose configuration and fleet are edited at random, on modelled servers."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocol.cluster_calls import UNKNOWN, Calls
from protocol.core_checks import Blamed
from protocol.partly_unknown import partly_unknown
from protocol.plugin_process import PluginProcess, simulated
from protocol.random_edits import GPU, LABELS, Config, Edit, Written, beginning, edited
from protocol.simulated_provider import Kept, keep, recall
from protocol.terraform_core import Action, Change, Core, Refused
from rpool.errors import CommandFailed
from rpool.model import action as act

Fleet = Mapping[str, Config]

PATIENCE = 3
"""Applies after a failed one, until nothing is left to do."""

LAST_RESORT = ("does not fit",)
"""The error after which a user destroys the cluster: a replacement began, and no server may join
where the old cluster was.
"""

EDITS_A_PROCESS = 25
"""A process that is configured again and again keeps a file open for each site."""


def change_hardware(
    chance: random.Random, world_file: Path, fleets: tuple[Fleet, Fleet], members: Collection[str]
) -> None:
    """What a user does with servers as the first fleet becomes the second.

    A server that is marked lost mostly has no power. When the mark goes it is the same server as
    before, or, where no cluster has it any more, a reinstalled one.
    """
    lost_before, lost_after = (
        {n for n, entry in fleet.items() if entry.get("lost")} for fleet in fleets
    )
    if lost_before == lost_after:
        return
    machines = recall(world_file).machines
    for name in sorted(lost_after - lost_before):
        if name in machines and chance.random() < 0.7:
            machines[name].powered = False
    for name in sorted((lost_before - lost_after) & fleets[1].keys() & machines.keys()):
        if name in members:
            machines[name].powered = True
        else:
            del machines[name]
    keep(world_file, Kept(machines))


BREAKS: tuple[type[object], ...] = (
    act.TakeClaim, act.Prepare, act.Init, act.Join, act.ApplyNetwork, act.ApplyMetalLB, act.Drain,
    act.RemoveEtcdMember, act.DeleteNode, act.Reset, act.WriteRecord, act.StepDown,
)  # fmt: skip


class EditedCluster:
    """`counts` tells what happened, `history` how it came."""

    def __init__(self, world_file: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.history: list[str] = []
        self._world_file = world_file
        self._seed = seed
        self._chance = random.Random()  # noqa: S311 edits, and no secret
        self._core = Core()
        self._written = Written({}, beginning().fleet)

    def run(self, edits: int) -> None:
        """Make so many edits. Raises Blamed where Terraform would blame the provider."""
        for done in range(0, edits, EDITS_A_PROCESS):
            with PluginProcess(simulated(self._world_file)) as process:
                self._core.calls = Calls(process)
                for number in range(done, min(edits, done + EDITS_A_PROCESS)):
                    self._one(number)
                if "Traceback" in process.log():
                    raise Blamed(f"the log has a traceback:\n{process.log()}")

    def _one(self, number: int) -> None:
        self._chance.seed(f"{self._seed}/{number}")  # whatever was drawn before
        edit = edited(self._chance, self._written, self._core.members)
        self.counts["edits"] += 1
        self._note(f"{number}: {edit.words}")
        self._hardware(self._written.fleet, edit.written.fleet)
        before = self._core.held
        try:
            change = self._plan(edit)
        except Refused as error:
            self._take_back(edit, error)
            self._core.held = before
            return
        self.counts[change.action.value] += 1
        self.counts["replaced"] += change.action is Action.REPLACE
        is_faulty = change.action is not Action.NOTHING and self._chance.random() < 0.06
        try:
            with self._fault(edit.written, is_faulty):
                self._apply(edit.written, change)
        except Refused as error:
            self.counts["failed"] += 1
            self._note(f"failed: {error}")
            self._mend(edit, change.action, again=error.applying)
            return
        self.counts["applied"] += change.action is not Action.NOTHING
        self._written = edit.written
        if not is_faulty:
            self._check_that_nothing_is_left()
        elif not self._converges(edit.written):
            raise Blamed("what a fault has left is not mended")

    def _take_back(self, edit: Edit, error: Refused) -> None:
        self.counts["refused"] += 1
        self._note(f"refused: {error}")
        self._hardware(edit.written.fleet, self._written.fleet)

    # -- the commands --------------------------------------------------------------------------

    def _plan(self, edit: Edit) -> Change:
        """Terraform's plan, in half of all cases of a configuration that is not all known."""
        chance, written = self._chance, edit.written
        config, site_values = written.clusters.get(LABELS[0]), written.site
        if config is not None and chance.random() < 0.5:
            self.counts["unknown"] += 1
            config = partly_unknown(chance, config, edit.places)
            self._note(f"unknown in {config}")
            site_values = self._partly_unknown_site(site_values)
        self._core.begin(site_values)
        if chance.random() < 0.85:
            self._core.refresh()
        change = self._core.plan(config, forced=chance.random() < 0.015)
        self._note(f"plan: {change.action.value}")
        return change

    def _partly_unknown_site(self, site_values: Config) -> Config:
        unsure = copy.deepcopy(site_values)
        match self._chance.choice(["all", "address", *[""] * 10]):
            case "all":
                unsure["fleet"] = UNKNOWN
            case "address":
                unsure["fleet"][GPU]["address"] = UNKNOWN
        return unsure

    def _apply(self, written: Written, change: Change) -> None:
        self._core.begin(written.site)
        self._core.apply(written.clusters.get(LABELS[0]), change)

    def _check_that_nothing_is_left(self) -> None:
        before = self._core.held
        self._core.begin(self._written.site)
        self._core.refresh()
        now = self._core.held
        if (now and now.value) != (before and before.value):
            raise Blamed(f"a read after the apply finds {now and now.value}, not {before}")
        change = self._core.plan(self._written.clusters.get(LABELS[0]))
        if change.action is not Action.NOTHING:
            raise Blamed(f"the plan after the apply is {change.action.value}: {change.value}")

    # -- after a failure -----------------------------------------------------------------------

    def _mend(self, edit: Edit, begun: Action, again: bool) -> None:
        """The same configuration is applied again, or the last good one."""
        self._note("again" if again else "")
        if again and self._converges(edit.written):
            self._written = edit.written
            return
        self._note("as it was before")
        self._hardware(edit.written.fleet, self._written.fleet)
        if self._converges(self._written):
            return
        is_last_resort = any(error in self.history[-1] for error in LAST_RESORT)
        if begun is Action.UPDATE or not is_last_resort:  # an update takes no cluster's life
            raise Blamed("neither the new nor the last configuration can be applied")
        self.counts["last resort"] += 1
        self._note("destroyed")
        self._written = replace(self._written, clusters={})
        if not self._converges(self._written):
            raise Blamed("what was begun cannot be destroyed")

    def _converges(self, written: Written) -> bool:
        for _ in range(PATIENCE):
            try:
                self._core.begin(written.site)
                self._core.refresh()
                change = self._core.plan(written.clusters.get(LABELS[0]))
                if change.action is Action.NOTHING:
                    return True
                self._note(f"plan: {change.action.value}")
                self._apply(written, change)
            except Refused as error:
                self._note(f"failed: {error}")
        try:
            self._core.begin(written.site)
            self._core.refresh()
            return self._core.plan(written.clusters.get(LABELS[0])).action is Action.NOTHING
        except Refused as error:
            self._note(f"failed: {error}")
            return False

    # -- the servers ---------------------------------------------------------------------------

    def _hardware(self, before: Fleet, after: Fleet) -> None:
        change_hardware(self._chance, self._world_file, (before, after), self._core.members)

    @contextmanager
    def _fault(self, written: Written, is_faulty: bool) -> Iterator[None]:
        """Something breaks on some servers, as long as it lasts."""
        if is_faulty:
            self.counts["faults"] += 1
            kind = self._chance.choice(BREAKS)
            names = sorted(written.fleet)
            broken = self._chance.sample(names, self._chance.choice([1, 3, len(names)]))
            self._note(f"{kind.__name__} breaks on {', '.join(broken)}")
            keep(
                self._world_file,
                Kept(broken={(kind, n): CommandFailed("it broke") for n in broken}),
            )
        try:
            yield
        finally:
            if is_faulty:
                keep(self._world_file, Kept())

    def _note(self, words: Any) -> None:
        self.history.append(str(words))
