"""One particular server in a pool: put in, dressed with labels and taints, taken out again.

Such a server is pinned: a member like any other, but outside of the pool's own sizing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from rpool.errors import Refused
from rpool.flow.attempt import Attempt
from rpool.flow.change import carry_through
from rpool.flow.look import HalfOut, Wish
from rpool.flow.observe import probe_all, serving_control_plane
from rpool.model.claim import Phase
from rpool.model.pool import NodeSpec
from rpool.model.record import Record
from rpool.model.seen import NodeSeen
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class NodeFound:
    """What a read found of a pinned server: None when it is not in the pool (any more).
    `unreachable`: nothing could be found out.
    """

    spec: NodeSpec | None
    unreachable: bool = False


def pin(
    pool: PoolView,
    server: ServerName,
    wanted: NodeSpec,
    fleet: Fleet,
    world: World,
    attempt: Attempt,
) -> None:
    """Put the server into the pool, or change what is asked of it there; a departure that was cut
    off is finished first. Raises as `change`.
    """

    def wish(record: Record) -> Wish:
        if server in record.own:
            raise Refused(
                f"{server} is one of pool {record.spec.name}'s own servers",
                "Mark it retire = true and apply: the pool lets it go. Then mark it reserved.",
            )
        roles = {name: its.role for name, its in record.members.items()}
        pinned = {**record.pinned, server: wanted}
        return Wish(record.spec, {**roles, server: Role.WORKER}, pinned, one=server)

    try:
        carry_through(pool, wish, fleet, world, attempt)
    except HalfOut:
        unpin(pool, server, fleet, world, attempt)
        carry_through(pool, wish, fleet, world, attempt)


def unpin(pool: PoolView, server: ServerName, fleet: Fleet, world: World, attempt: Attempt) -> None:
    """Take the server out of the pool: drained, reset, verified clean. Raises as `change`."""

    def wish(record: Record) -> Wish:
        if server in record.own:
            raise Refused(
                f"{server} is one of pool {record.spec.name}'s own servers",
                "Only what an rpool_node put there is taken out as one. Nothing was changed.",
            )
        roles = {name: its.role for name, its in record.members.items()}
        pinned = _without(record.pinned, server)
        return Wish(record.spec, _without(roles, server), pinned, one=server)

    carry_through(pool, wish, fleet, world, attempt)


def _without(items: Mapping[ServerName, V], name: ServerName) -> dict[ServerName, V]:
    return {key: value for key, value in items.items() if key != name}


def read_node(pool: PoolView, server: ServerName, world: World) -> NodeFound:
    """The labels and taints that the node has, of those that it was given. One that is half out, by
    an unpin that was cut off, is not in the pool.
    """
    serving = serving_control_plane(world, pool.uid, pool.control_planes)
    if serving is None or serving[1].record is None:
        return NodeFound(None, unreachable=True)
    record = serving[1].record
    given = record.pinned.get(server)
    node = serving[1].nodes.get(server)
    if given is None:
        return NodeFound(None)
    if server in record.leaving:
        seen, unseen = probe_all(world, [server])
        claim = None if unseen else seen[server].probed.claim
        if claim is None or claim.uid != pool.uid or claim.phase is not Phase.MEMBER:
            return NodeFound(None, unreachable=bool(unseen))
    return NodeFound(given if node is None else _worn(given, node))


def _worn(given: NodeSpec, node: NodeSeen) -> NodeSpec:
    labels = {key: node.labels[key] for key in given.labels if key in node.labels}
    return NodeSpec(labels, tuple(taint for taint in given.taints if taint in node.taints))
