"""Desired: what a cluster is to be, in one shape for every verb.

A create, a change, a destroy, an rpool_node that is added or removed: each states what it wants as
a `Desired`, and one planner (`decide.plan`) finds the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rpool.model.pool import DEFAULT_GROUP, NodeSpec, PoolSpec, PoolUid
from rpool.model.server import Role, Roles, ServerName


@dataclass(frozen=True, slots=True)
class Operation:
    """What claims and records say of the operation that writes them.

    `change` is an id that no other operation has, `owner` and `since` (RFC 3339) are for people.
    """

    change: str
    owner: str
    since: str
    session: int = 0


@dataclass(frozen=True, slots=True)
class Desired:
    uid: PoolUid
    spec: PoolSpec
    # The role of every server that is to be a member. Empty: the cluster is destroyed.
    roles: Roles
    # The members that an rpool_node puts here.
    pinned: Mapping[ServerName, NodeSpec] = field(default_factory=dict)
    # The only server to change: all others stay as they are, even half in or half out.
    one: ServerName | None = None
    # Members that count as lost since they were silent too long; others take their places.
    given_up: frozenset[ServerName] = frozenset()
    # Members to be mended: by a restart, or (`anew`) by leaving the cluster, a reset and a join.
    mend: frozenset[ServerName] = frozenset()
    anew: frozenset[ServerName] = frozenset()
    # The group of each server that is not in the default one.
    groups: Mapping[ServerName, str] = field(default_factory=dict)

    def group(self, name: ServerName) -> str:
        return self.groups.get(name, DEFAULT_GROUP)

    def of(self, role: Role) -> list[ServerName]:
        return [name for name, assigned in self.roles.items() if assigned is role]

    @property
    def is_nobody(self) -> bool:
        return not self.roles
