"""Finds, in the plan, one server in two nodes of one configuration.

Terraform does not say which resource it asks a plan for, but one process makes all plans of a
command. It cannot report a node that stays as it is beside a new one for the same server and
cluster: a forced replacement (-replace) is planned by the same two calls. The apply finds that
mistake, and then changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rpool.errors import Problem, SpecError
from rpool_provider.wire.unknown import is_wholly_known

if TYPE_CHECKING:
    from rpool.api import Site


@dataclass(frozen=True, slots=True)
class _Planned:
    """The cluster that each server is planned to be in, by a new node or by one that stays."""

    new: dict[str, Any] = field(default_factory=dict)
    staying: dict[str, Any] = field(default_factory=dict)


class Nodes:
    """The nodes that this process has planned, for each site as it was configured."""

    def __init__(self, serves_many: Callable[[], bool] = lambda: False) -> None:
        self._serves_many = serves_many
        self._planned: WeakKeyDictionary[Site, _Planned] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def plan(self, site: Site, server: str, cluster: Any, *, is_new: bool) -> None:
        """Raises SpecError if another node has the server. A replaced node counts once, as new."""
        if self._serves_many():  # then it may be one node, planned by several commands
            return
        with self._lock:
            planned = self._planned.setdefault(site, _Planned())
            others = planned.staying if is_new else planned.new
            if (is_new and server in planned.new) or _differ(others.get(server), cluster):
                raise SpecError([_problem(server)])
            (planned.new if is_new else planned.staying)[server] = cluster


def _differ(cluster: Any, other: Any) -> bool:
    """Whether both clusters are known, and differ."""
    return cluster is not None and is_wholly_known([cluster, other]) and cluster != other


def _problem(server: str) -> Problem:
    return Problem(
        ("server",),
        f"{server} is in two rpool_nodes of this configuration",
        "A server can be put into one cluster, once. Remove one of the two, or name another server "
        "there.",
    )
