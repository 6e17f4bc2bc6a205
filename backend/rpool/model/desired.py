"""Desired: what a cluster is to be, in one shape for every verb.

A create, a change, a destroy, an rpool_node that is put in or taken out: each says what it wants as
one of these, and one planner (`decide.plan`) finds the steps.
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
    # Every server that is to be a member, by what it does. Nobody: the cluster goes as a whole.
    roles: Roles
    # Those of them that an rpool_node puts here.
    pinned: Mapping[ServerName, NodeSpec] = field(default_factory=dict)
    # About this server alone: all others stay as they are, half in or half out as they may be.
    one: ServerName | None = None
    # Members that are taken for lost, since they were silent too long; others have their places.
    given_up: frozenset[ServerName] = frozenset()
    # Members that are to be mended where they are: by a restart, or (`anew`) out of the cluster,
    # reset and joined again.
    mend: frozenset[ServerName] = frozenset()
    anew: frozenset[ServerName] = frozenset()
    # In which group each is that is not in the default one.
    groups: Mapping[ServerName, str] = field(default_factory=dict)

    def group(self, name: ServerName) -> str:
        return self.groups.get(name, DEFAULT_GROUP)

    def of(self, role: Role) -> list[ServerName]:
        return [name for name, its in self.roles.items() if its is role]

    @property
    def is_nobody(self) -> bool:
        return not self.roles
