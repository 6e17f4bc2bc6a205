"""One particular server in a pool: put in, dressed with labels and taints, taken out again.

Such a server is pinned: a member like any other, but outside of the pool's own sizing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from rpool.decide.membership import runs_control_plane
from rpool.errors import Refused, RpoolError, Unreachable
from rpool.flow.attempt import Attempt
from rpool.flow.change import carry_through
from rpool.flow.execute import Limits, carry_out
from rpool.flow.find import PATIENCE_SECONDS, NoApi, not_in_fleet
from rpool.flow.journal import Journal
from rpool.flow.look import HalfOut, Wish
from rpool.flow.observe import probe_all, reaches_api, serving_control_plane
from rpool.flow.session import session
from rpool.flow.sweep import sweep
from rpool.model.action import Reset, SetPhase
from rpool.model.claim import Phase
from rpool.model.pool import NodeSpec
from rpool.model.record import Record
from rpool.model.seen import NodeSeen
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.step import Step
from rpool.model.view import PoolView
from rpool.model.world import World

SHOWN_SERVERS = 10

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class NodeFound:
    """What a read found of a pinned server: None when it is not in the cluster (any more).

    `incomplete`: its join or its departure was cut off. It may be claimed, cordoned or half reset,
    so it is in the cluster until its departure has come to its end. `unreachable`: nothing could be
    found out.
    """

    spec: NodeSpec | None
    incomplete: bool = False
    unreachable: bool = False


def pin(
    pool: PoolView,
    server: ServerName,
    wanted: NodeSpec,
    fleet: Fleet,
    world: World,
    attempt: Attempt,
    *,
    is_new: bool = False,
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
        if is_new and server in record.pinned.keys() - record.joining - record.leaving:
            raise Refused(
                f"{server} is in pool {record.spec.name} already, put there by another rpool_node",
                "Another rpool_node of this configuration, say: to rename one, use a moved block; "
                "create_before_destroy cannot work for it. If no state has it: terraform import "
                f"rpool_node.NAME {record.uid}/{server}. Nothing was changed.",
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
    """Take the server out of the pool: drained, reset, verified clean. Raises as `change`.

    Without the cluster's API it is reset only where the cluster is gone for good: else neither it
    nor the rest of the cluster could ever be given back.
    """

    def wish(record: Record) -> Wish:
        if server in record.own:
            raise Refused(
                f"{server} is one of pool {record.spec.name}'s own servers",
                "Only what an rpool_node put there is taken out as one. Nothing was changed.",
            )
        roles = {name: its.role for name, its in record.members.items()}
        pinned = _without(record.pinned, server)
        return Wish(record.spec, _without(roles, server), pinned, one=server)

    try:
        carry_through(pool, wish, fleet, world, attempt)
    except NoApi as error:
        if alive := _may_be_alive(pool, fleet, world):
            raise _not_without_its_api(pool, server, alive) from error
        _reset(pool, server, fleet, world, attempt)


def _may_be_alive(pool: PoolView, fleet: Fleet, world: World) -> dict[ServerName, str]:
    """Servers that may still run a control plane of the cluster, and why that is not excluded.

    An API that gives no answer proves nothing: it may restart, or be slow. So the whole fleet is
    asked, since the cluster may have moved. A server is excluded when it is marked lost and silent,
    or has answered and shows nothing of a control plane; one that shows it, and has lost its claim,
    may be the cluster's. Its control planes may also be in no entry of this fleet: then its own
    servers would reach the API.
    """
    alive = {
        name: "the fleet has no such server any more"
        for name in pool.control_planes
        if name not in fleet.servers
    }
    for name, answer in sweep(world, fleet.servers, PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            if not fleet.servers[name].lost:
                alive[name] = answer.summary
        elif runs_control_plane(answer) and (answer.claim is None or answer.claim_of(pool.uid)):
            alive[name] = "has the files of a control plane"
        elif answer.claim_of(pool.uid) and answer.joined and reaches_api(world, name):
            alive[name] = "reaches its API, which is on none of this fleet's servers"
    return alive


def _not_without_its_api(
    pool: PoolView, server: ServerName, alive: Mapping[ServerName, str]
) -> Unreachable:
    reasons = "\n".join(f"  {name}: {why}" for name, why in sorted(alive.items())[:SHOWN_SERVERS])
    return Unreachable(
        f"{server} stays in cluster {pool.name}: its API does not answer, and it may be alive",
        f"A server is not reset under a cluster that may still use it. Not excluded:\n{reasons}\n"
        "Bring one control plane back and apply again. Or mark those that are gone for good "
        "lost = true in the fleet. Or give up the whole cluster: terraform state rm this "
        "rpool_node and destroy its rpool_cluster, which gives back every server it has claimed. "
        "Nothing was changed.",
    )


def _reset(
    pool: PoolView, server: ServerName, fleet: Fleet, world: World, attempt: Attempt
) -> None:
    """Without its cluster, of which nothing is left."""
    seen, unseen = probe_all(world, [server])
    if server not in fleet.servers:
        raise not_in_fleet(f"cluster {pool.name}", [server])
    claim = None if server in unseen else seen[server].probed.claim_of(pool.uid)
    if claim is None:
        return
    leave = Step(f"leave {server}", server, SetPhase(server, claim.ownership, Phase.LEAVING))
    reset = Reset(server, claim.ownership, pool.vip)
    steps = [leave, Step(f"reset {server}", server, reset, frozenset({leave.name}))]
    limits = Limits(time.monotonic() + attempt.timeout_seconds, attempt.stop)
    with (
        session(world, pool.uid, pool.control_planes) as lock,
        Journal(pool.name, world, attempt.log) as journal,
    ):
        ran = carry_out(steps, world, journal, replace(limits, lock_lost=lock.lost))
    if ran.error is not None:
        raise ran.error


def _without(items: Mapping[ServerName, V], name: ServerName) -> dict[ServerName, V]:
    return {key: value for key, value in items.items() if key != name}


def read_node(pool: PoolView, server: ServerName, world: World) -> NodeFound:
    """The labels and taints that the node has, of those that it was given; see `NodeFound`."""
    serving = serving_control_plane(world, pool.uid, pool.control_planes)
    if serving is None or serving[1].record is None:
        return NodeFound(None, unreachable=True)
    record = serving[1].record
    given = record.pinned.get(server)
    if given is None:
        return NodeFound(None)
    node = serving[1].nodes.get(server)
    incomplete = server in record.joining | record.leaving
    return NodeFound(given if node is None else _worn(given, node), incomplete)


def _worn(given: NodeSpec, node: NodeSeen) -> NodeSpec:
    labels = {key: node.labels[key] for key in given.labels if key in node.labels}
    return NodeSpec(labels, tuple(taint for taint in given.taints if taint in node.taints))
