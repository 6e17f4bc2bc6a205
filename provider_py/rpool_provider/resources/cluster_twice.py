"""Finds, in the plan, two clusters of one configuration that conflict with each other.

As with nodes (see `node_twice`): Terraform does not say which resource it asks a plan for, but one
process makes all plans of a command, and plans each new cluster once. An existing cluster is also
planned as a new one where the user forces its replacement (-replace, or a taint): whether it is
protected from deletion is known only from what was read or planned of it before.

Where a process serves many commands (see `Provider.serves_many`) two plans of one name may be one
cluster, so nothing is reported: the apply finds two of one name, and changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rpool.errors import Path, Problem, SpecError, touches

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.model.pool import PoolSpec

_NAME: Path = ("name",)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A request as far as it is known."""

    spec: PoolSpec
    unknown: Collection[Path]
    is_new: bool


class Clusters:
    """The clusters that this process has planned, for each site as it was configured."""

    def __init__(self, serves_many: Callable[[], bool] = lambda: False) -> None:
        self._serves_many = serves_many
        self._planned: WeakKeyDictionary[Site, dict[str, _Planned]] = WeakKeyDictionary()
        self._protected: WeakKeyDictionary[Site, set[str]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def protect(self, site: Site, name: str) -> None:
        """Notes an existing cluster that may not be destroyed."""
        with self._lock:
            self._protected.setdefault(site, set()).add(name)

    def would_destroy(self, site: Site, name: str) -> bool:
        """Whether a new cluster of that name would replace one that may not be destroyed."""
        with self._lock:
            return name in self._protected.get(site, ()) and not self._serves_many()

    def plan(self, site: Site, spec: PoolSpec, unknown: Collection[Path], *, is_new: bool) -> None:
        """Raises SpecError if another cluster has the name, the virtual IP, or some addresses of
        MetalLB.
        """
        from rpool.model.ranges import shared

        if touches(_NAME, unknown) or self._serves_many():
            return
        with self._lock:
            planned = self._planned.setdefault(site, {})
            earlier = planned.get(spec.name)
            problems = [_problem(spec.name)] if earlier and _are_two(earlier, spec, is_new) else []
            for name, other in planned.items():
                if name != spec.name:
                    problems += shared(spec, other.spec, unknown, other.unknown)
            if problems:
                raise SpecError(problems)
            planned[spec.name] = _Planned(spec, unknown, is_new)


def _are_two(earlier: _Planned, spec: PoolSpec, is_new: bool) -> bool:
    """Whether two plans of one name are of two resources. An existing cluster and a new one may be
    one resource that the user replaces: then the requests are equal.
    """
    if earlier.is_new and is_new:
        return True
    return earlier.is_new != is_new and earlier.spec != spec


def _problem(name: str) -> Problem:
    return Problem(
        _NAME,
        f"two clusters of this configuration are called {name}",
        "Names of clusters are unique on a site. With count or for_each, put the key into the "
        "name.",
    )
