"""A server that claims to be part of a cluster, and is not."""

from __future__ import annotations

from dataclasses import replace

from rpool.certificates import ca_pin, new_ca
from rpool.model.claim import Claim, Phase
from rpool.model.record import Member
from rpool.model.server import Role
from rpool.model.view import PoolView
from rpool.simulate.machine import Cluster
from worlds.stage import SPEC, Stage

FALSE = "r1u15"
"""It is a spare on a stage of 16 servers: of equal servers, others are taken first."""


def posing(stage: Stage, view: PoolView) -> Cluster:
    """Server FALSE poses as a control plane of the cluster: with its uid in a claim, and an API of
    its own that shows the cluster's record, with itself in it.
    """
    machine = stage.machine(FALSE)
    true = stage.cluster(view)
    assert machine.claim is None
    assert true.record is not None
    false = Cluster(new_ca(), SPEC.kubernetes_version, record=true.record)
    machine.become(false, Role.CONTROL_PLANE)
    false.record = replace(
        true.record,
        members={
            **true.record.members,
            FALSE: Member.of(stage.site.config.fleet.servers[FALSE], Role.CONTROL_PLANE),
        },
    )
    machine.claim = Claim(
        uid=view.uid,
        pool=view.name,
        owner="eve",
        role=Role.CONTROL_PLANE,
        phase=Phase.MEMBER,
        epoch=1,
        since="2020-01-01T00:00:00+00:00",
        server=FALSE,
        machine_id="",
        ca_pin=ca_pin(false.ca),
    )
    return false
