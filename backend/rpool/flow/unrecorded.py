"""The record of a pool whose cluster has none: its create was cut off, or somebody deleted it."""

from __future__ import annotations

from rpool.decide.joining import member
from rpool.errors import Refused, RpoolError
from rpool.flow.sweep import sweep
from rpool.model.claim import Claim
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.record import Record, RecordPhase
from rpool.model.seen import ClusterSeen
from rpool.model.server import Fleet, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World

PATIENCE_SECONDS = 10.0


def unrecorded(
    prior: PoolView, cluster: ClusterSeen, spec: PoolSpec | None, fleet: Fleet, world: World
) -> Record:
    """What is to be taken for the record; `spec` is what the pool is to be. Raises Refused when a
    node of the cluster is nobody's that could be found.
    """
    if spec is None:
        raise Refused(
            f"pool {prior.name} has no record in its cluster (ConfigMap kube-system/rpool)",
            "Apply its rpool_cluster first.",
        )
    blank = Record(prior.uid, spec, 1, RecordPhase.APPLYING, prior.servers, created=False)
    if not prior.ca_certificate:
        return blank  # its create never came to an end
    return _by_claims(blank, cluster, fleet, world)


def _by_claims(blank: Record, cluster: ClusterSeen, fleet: Fleet, world: World) -> Record:
    """The servers themselves say whose they are. Those that the state does not have were put into
    the pool one by one; what was asked of them there is asked for anew.
    """
    claims: dict[ServerName, Claim] = {}
    silent: dict[ServerName, str] = {}
    for name, answer in sweep(world, fleet.servers, PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            silent[name] = answer.summary
        elif (claim := answer.claim_of(blank.uid)) is not None:
            claims[name] = claim
    unknown = sorted(cluster.nodes.keys() - claims.keys() - blank.members.keys())
    if unknown:
        reasons = "\n".join(f"  {silent.get(name, f'{name} is not claimed')}" for name in unknown)
        raise Refused(
            f"pool {blank.spec.name} has lost its record (ConfigMap kube-system/rpool), and nobody "
            f"can say whose {', '.join(unknown)} is",
            f"Nothing was changed.\n{reasons}\n"
            "Bring it back, or delete its Node; then apply again.",
        )
    pinned = sorted(claims.keys() - blank.members.keys())
    found = {name: member(fleet.servers[name], claims[name].role) for name in pinned}
    epochs = [claim.epoch for claim in claims.values()]
    return Record(
        blank.uid,
        blank.spec,
        max(epochs, default=1),
        RecordPhase.APPLYING,
        {**blank.members, **found},
        pinned=dict.fromkeys(pinned, NodeSpec()),
    )
