"""The record made anew from the claims, where it is missing or an older one was put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rpool.errors import Refused, RpoolError
from rpool.flow.sweep import sweep
from rpool.model.claim import Claim
from rpool.model.observed import Observed
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.record import Member, Record
from rpool.model.server import Fleet, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World

PATIENCE_SECONDS = 10.0


def anew(
    prior: PoolView, pool: Observed, spec: PoolSpec | None, fleet: Fleet, world: World
) -> Record:
    """The record of a cluster that shows none, by the claims on its servers; `spec` is what it is
    to be. Its create was cut off, or somebody has deleted the record.

    Raises Refused when no claim says whose a Node of the cluster is.
    """
    if spec is None:
        raise Refused(
            f"cluster {prior.name} has no record of its own (ConfigMap kube-system/rpool)",
            "Apply its rpool_cluster first.",
        )
    blank = Record(prior.uid, "", 1, 0, None, spec, prior.servers)
    if not prior.ca_certificate:
        return blank  # its create never came to an end
    claims, silent = _claims(prior, fleet, world)
    if unknown := sorted(pool.nodes.keys() - claims.keys() - blank.members.keys()):
        reasons = "\n".join(f"  {silent.get(name, f'{name} is not claimed')}" for name in unknown)
        raise Refused(
            f"cluster {spec.name} has lost its record (ConfigMap kube-system/rpool), and nobody "
            f"can say whose {', '.join(unknown)} is",
            f"Nothing was changed.\n{reasons}\n"
            "Bring it back, or delete its Node; then apply again.",
        )
    return _with(replace(blank, settled=spec), claims, fleet, ours=prior.servers)


def _claims(
    prior: PoolView, fleet: Fleet, world: World
) -> tuple[dict[ServerName, Claim], dict[ServerName, str]]:
    claims: dict[ServerName, Claim] = {}
    silent: dict[ServerName, str] = {}
    for name, answer in sweep(world, fleet.servers, PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            silent[name] = answer.summary
        elif (claim := answer.claim_of(prior.uid)) is not None:
            claims[name] = claim
    return claims, silent


def corrected(record: Record, pool: Observed, fleet: Fleet) -> Record:
    """The record with the members of later changes. A claim of a later change than the record's
    says that an older record was put in its place (a backup of etcd, say).
    """
    later = {
        name: claim
        for name, claim in pool.claims.items()
        if claim.epoch > record.generation and name not in record.members
    }
    return _with(record, later, fleet, ours={}) if later else record


def _with(
    record: Record,
    claims: Mapping[ServerName, Claim],
    fleet: Fleet,
    ours: Mapping[ServerName, Member],
) -> Record:
    """The record with the claimed servers as members. Reserved ones, and those that are not `ours`
    where that is known, count as an rpool_node's; its next apply gives their labels and taints.
    """
    found = {n: Member.of(fleet.servers[n], its.role) for n, its in claims.items()}
    others = {n for n in found if n not in record.members}
    alone = {n for n in others if ours or fleet.servers[n].reserved}
    return replace(
        record,
        generation=max([record.generation, *(claim.epoch for claim in claims.values())]),
        wanted=record.wanted or record.settled,
        members={**found, **record.members},
        pinned={**dict.fromkeys(sorted(alone), NodeSpec()), **record.pinned},
    )
