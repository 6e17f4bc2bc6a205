"""Making a cluster's etcd anew from the one member that is left, when its quorum is lost."""

from __future__ import annotations

from rpool.attempt import PoolIncomplete
from rpool.decide.recovery import why_not_recover
from rpool.flow.reconcile import Run
from rpool.model.action import RecoverEtcd, StepDown
from rpool.model.observed import Observed
from rpool.model.server import ServerName
from rpool.model.step import Step, names
from rpool.model.view import PoolView


def recover(prior: PoolView, server: ServerName, run: Run) -> frozenset[ServerName]:
    """Rebuild etcd from the data of `server`. Returns the other control planes that answer: they
    have ended, and are out of etcd. Raises Refused where others may be alive, or are enough.
    """
    pool = Observed(prior.uid).with_servers(*run.lock.look(prior.control_planes))
    if why := why_not_recover(pool, prior.control_planes, server, run.fleet):
        raise why
    others = sorted(pool.claims.keys() - {server})
    ends = [Step(StepDown(n, pool.claims[n].ownership, etcd=True), n) for n in others]
    recovered = RecoverEtcd(server, pool.claims[server].ownership)
    run.lock.begins_to_act()
    ran = run.carry_out([*ends, Step(recovered, server, needs=names(ends))])
    if ran.error is not None:
        raise PoolIncomplete(ran.error, prior)
    return frozenset(others)
