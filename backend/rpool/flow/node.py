"""One particular server in a cluster: put in, labelled and tainted, taken out again.

Such a server is pinned: a member like any other, but outside of the cluster's own sizing.
"""

from __future__ import annotations

from collections.abc import Mapping

from rpool.advice import Do
from rpool.attempt import Attempt, NoApi, not_in_fleet
from rpool.decide.membership import Membership
from rpool.decide.plan import HalfOut
from rpool.decide.quorum import most_of
from rpool.errors import Refused, Unreachable
from rpool.flow.change import Change, carry_through
from rpool.flow.locate import may_be_alive
from rpool.flow.reconcile import at_work
from rpool.model.desired import Desired
from rpool.model.observed import Observed
from rpool.model.pool import NodeSpec
from rpool.model.record import Record
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World

SHOWN_SERVERS = 10


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
    """Put the server into the cluster, or change its labels and taints there. A departure that was
    cut off is finished first. Raises as `change`.
    """

    def want(members: Membership) -> Desired:
        record = members.record
        _refuse_own(
            record,
            server,
            Do.RETIRE_THEN_RESERVE.text(),
        )
        if is_new and server in record.pinned and members.is_whole(server):
            raise Refused(
                f"{server} is in cluster {record.spec.name} already, put there by another "
                "rpool_node",
                f"Nothing was changed. {Do.IMPORT_NODE.text(uid=record.uid, server=server)}",
            )
        roles = {n: member.role for n, member in record.members.items()} | {server: Role.WORKER}
        return Desired(
            record.uid,
            record.spec,
            roles,
            {**record.pinned, server: wanted},
            server,
            groups=_groups(record),
        )

    goal = Change(pool, fleet, world, one=server, wish=want)
    try:
        carry_through(goal, attempt)
    except HalfOut:
        unpin(pool, server, fleet, world, attempt)
        carry_through(goal, attempt)


def _groups(record: Record) -> dict[ServerName, str]:
    return {name: member.group for name, member in record.members.items()}


def unpin(pool: PoolView, server: ServerName, fleet: Fleet, world: World, attempt: Attempt) -> None:
    """Take the server out of the cluster: drained, reset, verified clean. Raises as `change`.

    If no API answers, it is reset only where the cluster is gone for good. Without that, neither
    the server nor the rest of the cluster could ever be given back.
    """

    def want(members: Membership) -> Desired:
        record = members.record
        _refuse_own(
            record,
            server,
            "Only a server that an rpool_node put there is removed as one. Nothing was changed.",
        )
        roles = {n: member.role for n, member in record.members.items() if n != server}
        pinned = {n: spec for n, spec in record.pinned.items() if n != server}
        return Desired(record.uid, record.spec, roles, pinned, server, groups=_groups(record))

    try:
        carry_through(Change(pool, fleet, world, one=server, wish=want), attempt)
    except NoApi as error:
        if alive := may_be_alive(pool, fleet, world):
            raise _not_without_its_api(pool, server, alive) from error
        _reset(pool, server, fleet, world, attempt)


def _refuse_own(record: Record, server: ServerName, advice: str) -> None:
    if server in record.own:
        raise Refused(f"{server} is one of cluster {record.spec.name}'s own servers", advice)


def _not_without_its_api(
    pool: PoolView, server: ServerName, alive: Mapping[ServerName, str]
) -> Unreachable:
    reasons = "\n".join(f"  {name}: {why}" for name, why in sorted(alive.items())[:SHOWN_SERVERS])
    return Unreachable(
        f"{server} stays in cluster {pool.name}: its API does not answer, and it may be alive",
        f"A server is not reset under a cluster that may still use it. Nothing was "
        f"changed. Not excluded:\n{reasons}\n"
        + Do.GIVE_NODE_UP.text(**most_of(pool.control_planes)),
    )


def _reset(
    pool: PoolView, server: ServerName, fleet: Fleet, world: World, attempt: Attempt
) -> None:
    """Reset a server after its cluster is gone for good."""
    if server not in fleet.servers:
        raise not_in_fleet(f"cluster {pool.name}", [server])
    known = pool.control_planes
    with at_work(pool.uid, pool.name, known, fleet, world, attempt) as run:
        alone = Observed(pool.uid).with_servers(*run.lock.look([server]))
        ran = run.carry_out(run.plan(Desired(pool.uid, pool.spec, {}), alone).steps)
    if ran.error is not None:
        raise ran.error
