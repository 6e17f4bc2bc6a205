"""Several clusters and a node that are edited at random, with the real Terraform."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocol.core_checks import Blamed
from protocol.edited_cluster import LAST_RESORT, PATIENCE, change_hardware
from protocol.partly_unknown import known_later
from protocol.random_edits import GPU, LABELS, Edit, Written, beginning, edited
from protocol.workspace import Ran, Workspace

BLAME = ("bug in the provider", "provider produced", "failed unexpectedly", "traceback", "unknown(")
"""What is in no output, in lower case."""

LATER = "terraform_data.later"


class EditedWorkspace:
    """`counts` tells what happened, `history` how it came."""

    def __init__(self, folder: Path, world_file: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.history: list[str] = []
        self._workspace = Workspace(folder, world_file)
        self._seed = seed
        self._chance = random.Random()  # noqa: S311 edits, and no secret
        self._written = beginning()

    def run(self, edits: int) -> None:
        """Make so many edits. Raises Blamed where Terraform blames the provider."""
        self._write(self._written, 0)
        self._applied()
        for number in range(edits):
            self._one(number)

    def _one(self, number: int) -> None:
        self._chance.seed(f"{self._seed}/{number}")  # whatever was drawn before
        edit = edited(self._chance, self._written, self._members(), clusters=len(LABELS))
        self.counts["edits"] += 1
        self.history.append(f"{number}: {edit.words}")
        self._hardware(self._written, edit.written)
        self._write(edit.written, number, edit if self._chance.random() < 0.5 else None)
        before = self._state()
        ran = self._apply(*self._options(edit.written))
        if ran.status == 0:
            self._note(ran)
            self._written = edit.written
            self._check_that_nothing_is_left()
        elif self._state() == before:
            self.counts["refused"] += 1
            self._hardware(edit.written, self._written)
        else:
            self.counts["failed"] += 1
            self._mend(edit, number)

    def _options(self, written: Written) -> list[str]:
        chance, options = self._chance, list[str]()
        if chance.random() < 0.15:
            options.append("-refresh=false")
        if chance.random() < 0.3:
            options.append(f"-parallelism={chance.choice([1, 20])}")
        if chance.random() < 0.06 and written.clusters:
            options.append(f"-replace=rpool_cluster.{chance.choice(sorted(written.clusters))}")
        self.history += [" ".join(options)] if options else []
        return options

    def _note(self, ran: Ran) -> None:
        replaced = re.search(r"# rpool_cluster\S+ .*be replaced", ran.output)
        changed = re.search(r"# rpool_\S+ (will|must|is)", ran.output)
        self.counts["replaced"] += replaced is not None
        self.counts["applied" if changed else "nothing"] += 1

    # -- the commands --------------------------------------------------------------------------

    def _write(self, written: Written, number: int, unsure: Edit | None = None) -> None:
        """In a cluster of the `unsure` edit, some of it is known only once something is applied."""
        clusters: dict[str, Any] = dict(written.clusters)
        more = ""
        if written.node_of is not None:
            more += (
                f'resource "rpool_node" "gpu" {{\n  cluster = rpool_cluster.{written.node_of}.id\n'
                f'  server = "{GPU}"\n}}\n'
            )
        if unsure is not None and clusters:
            self.counts["unknown"] += 1
            label = unsure.label or self._chance.choice(sorted(clusters))
            config, places = clusters[label], unsure.places
            clusters[label], inputs = known_later(self._chance, config, places, LATER)
            self.history.append(f"known later in {label}: {inputs}")
            inputs["edit"] = number
            more += f'resource "terraform_data" "later" {{\n  input = {json.dumps(inputs)}\n}}\n'
        self._workspace.write(more=more, site_values=written.site, **clusters)

    def _apply(self, *options: str) -> Ran:
        ran = self._workspace.apply(*options)
        self._check(ran)
        if ran.status != 0:
            self.history += [line for line in ran.output.splitlines() if "Error:" in line]
        return ran

    def _check(self, ran: Ran) -> None:
        words = " ".join(ran.output.replace("│", " ").split()).lower()
        if blames := [word for word in BLAME if word in words]:
            raise Blamed(f"{blames} in the output:\n{ran.output}")

    def _check_that_nothing_is_left(self) -> None:
        planned = self._workspace.plan()
        self._check(planned)
        if planned.status != 0:
            raise Blamed(f"the plan after the apply:\n{planned.output}")

    # -- after a failure -----------------------------------------------------------------------

    def _mend(self, edit: Edit, number: int) -> None:
        """The same configuration is applied again, or the last good one."""
        if self._converges():
            self._written = edit.written
            return
        self.history.append("as it was before")
        self._hardware(edit.written, self._written)
        self._write(self._written, number)
        if self._converges():
            return
        if not any(error in self.history[-1] for error in LAST_RESORT):
            raise Blamed("neither the new nor the last configuration can be applied")
        self.counts["last resort"] += 1
        self.history.append("destroyed")
        self._written = replace(self._written, clusters={}, node_of=None)
        self._write(self._written, number)
        if not self._converges():
            raise Blamed("what was begun cannot be destroyed")

    def _converges(self) -> bool:
        return any(self._apply().status == 0 and self._is_empty() for _ in range(PATIENCE))

    def _is_empty(self) -> bool:
        planned = self._workspace.plan()
        self._check(planned)
        return planned.status == 0

    def _applied(self) -> None:
        ran = self._apply()
        if ran.status != 0:
            raise Blamed(f"the first apply:\n{ran.output}")

    # -- the servers ---------------------------------------------------------------------------

    def _hardware(self, before: Written, after: Written) -> None:
        fleets = before.fleet, after.fleet
        change_hardware(self._chance, self._workspace.world_file, fleets, self._members())

    def _state(self) -> Any:
        file = self._workspace.folder / "terraform.tfstate"
        return json.loads(file.read_text())["resources"] if file.exists() else []

    def _members(self) -> set[str]:
        clusters = [found for found in self._state() if found["type"] == "rpool_cluster"]
        instances = [instance for cluster in clusters for instance in cluster["instances"]]
        return {name for instance in instances for name in instance["attributes"]["servers"] or ()}
