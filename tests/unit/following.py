"""Somebody at a desk who does what an error or a warning says, on modelled servers."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

from fault.terraform import Wanted, Workspace
from worlds.expect import settled
from worlds.stage import SPEC, Stage

from rpool.advice import Do
from rpool.api import Site
from rpool.errors import RpoolError
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.server import Fleet, Role
from rpool.model.view import PoolView
from rpool_provider import diagnostic
from rpool_provider.resources import cluster_state

WALKS: defaultdict[Do, set[int]] = defaultdict(set)
"""The ways of each advice that some test goes, counted from 0."""

_read: set[Do] = set()

Test = ParamSpec("Test")


def follows(advice: Do, *ways: int) -> Callable[[Callable[Test, None]], Callable[Test, None]]:
    """Marks a test that follows these ways of an advice (all of them where none is named). It fails
    unless it has read the advice's text.
    """

    def walk(test: Callable[Test, None]) -> Callable[Test, None]:
        WALKS[advice].update(ways or range(len(advice.ways)))

        @wraps(test)
        def walked(*args: Test.args, **kwargs: Test.kwargs) -> None:
            _read.clear()
            test(*args, **kwargs)
            assert advice in _read

        return walked

    return walk


def read(advice: Do, message: object, **words: str) -> None:
    """Checks that a message, an error or its text, has this advice word by word."""
    diagnostics = diagnostic.of_error(message) if isinstance(message, RpoolError) else []
    text = "\n".join(found.detail for found in diagnostics) or str(message)
    assert advice.text(**words) in text
    _read.add(advice)


class Desk:
    """A configuration and its state. Each command is another process, as with Terraform."""

    def __init__(self, stage: Stage, spec: PoolSpec = SPEC, owner: str = "") -> None:
        self.stage = stage
        self.owner = owner
        self.state = Workspace(self._process)
        self.wanted = Wanted({spec.name: spec})

    def _process(self) -> Site:
        self.stage.open()
        site = self.stage.site
        site.config = replace(site.config, owner=self.owner)
        return site

    # -- what is written -----------------------------------------------------------------------

    def write(self, *specs: PoolSpec, **nodes: tuple[str, NodeSpec]) -> None:
        """Writes another configuration: these clusters, and each node in the cluster it names."""
        self.wanted = Wanted({spec.name: spec for spec in specs}, nodes)

    def mark(self, *servers: str, **marks: Any) -> None:
        for server in servers:
            self.stage.mark(server, **marks)

    def remove_entries(self, *servers: str) -> Fleet:
        """Returns the fleet that had them."""
        before = self.stage.site.config.fleet
        kept = {name: server for name, server in before.servers.items() if name not in servers}
        self.stage.open(Fleet(kept))
        return before

    # -- what is done --------------------------------------------------------------------------

    def apply(self) -> str:
        """Returns its errors, or else its warnings."""
        run = self.state.apply(self.wanted, threading.Event())
        return "\n".join(run.errors or run.warnings)

    def refused(self) -> str:
        run = self.state.apply(self.wanted, threading.Event())
        assert run.errors
        return "\n".join(run.errors)

    def succeeds(self) -> None:
        """An apply has no error, and one after it nothing to do."""
        assert self.state.apply(self.wanted, threading.Event()).errors == []
        again = self.state.apply(self.wanted, threading.Event())
        assert again.was_empty, again
        assert all(
            cluster.values["condition"] == "settled" for cluster in self.state.clusters.values()
        )

    def is_whole(self, name: str = "batch") -> None:
        """As `succeeds`, and the cluster is in every respect as written."""
        self.succeeds()
        settled(self.stage, self.view(name), self.wanted.clusters[name])

    def gives_back(self, *but: str) -> None:
        """A destroy has no error, and no server is claimed but these."""
        self.write()
        self.succeeds()
        assert self.stage.claimed() == set(but)

    def imports(self, uid: str, name: str = "batch") -> None:
        assert self.state.adopt(uid, name) is None

    # -- what there is -------------------------------------------------------------------------

    def view(self, name: str = "batch") -> PoolView:
        return cluster_state.view(self.state.clusters[name].values)

    def workers(self) -> list[str]:
        return [n for n, server in self.view().servers.items() if server.role is Role.WORKER]

    def power(self, *servers: str, on: bool) -> None:
        for server in servers:
            machine = self.stage.machine(server)
            machine.give_power() if on else machine.lose_power()


def with_cluster(spec: PoolSpec = SPEC, count: int = 12) -> Desk:
    desk = Desk(Stage(count), spec)
    desk.succeeds()
    desk.stage.acted.clear()
    return desk
