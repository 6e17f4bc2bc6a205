"""The steps that make a pool out of placed servers, from whatever stage they are at."""

from __future__ import annotations

from collections.abc import Mapping

from rpool.decide.joining import Joining, ServersUp
from rpool.model.action import (
    ApplyMetalLB,
    ApplyNetwork,
    RevokeJoiners,
    WriteRecord,
)
from rpool.model.record import Record, RecordPhase
from rpool.model.seen import Probed
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName


def plan_create(joining: Joining, seen: Mapping[ServerName, Probed]) -> list[Step]:
    """All steps from what was seen to a settled pool; `seen` has every placed server."""
    control_planes = sorted(
        joining.with_role(Role.CONTROL_PLANE), key=lambda name: not seen[name].joined
    )
    up = ServersUp(joining, seen, via=control_planes[0])
    steps = up.steps()
    return [*steps, *_cluster_steps(up, steps)]


def _cluster_steps(up: ServersUp, servers_up: list[Step]) -> list[Step]:
    """The steps about the cluster as a whole, all carried out through the first control plane."""
    joining, via = up.joining, up.via
    ours = joining.ownership(via, up.seen)
    names = {step.name for step in servers_up}
    serving = frozenset(names & {up.opening_name})
    joins = frozenset(name for name in names if name.startswith("join "))
    network = _network(up, serving)
    steps = [
        Step("record applying", via, WriteRecord(via, ours, _record(joining, False), ""), serving),
        *network,
        *_metallb(up, serving),
        Step(
            "revoke joiners", via, RevokeJoiners(via, ours, joining.secrets), serving, after=joins
        ),
        *up.readiness(serving | {step.name for step in network}),
    ]
    everything = frozenset(names | {step.name for step in steps})
    settled = WriteRecord(via, ours, _record(joining, True), "")
    return [*steps, Step("record settled", via, settled, everything)]


def _record(joining: Joining, settled: bool) -> Record:
    return Record(
        uid=joining.uid,
        spec=joining.spec,
        generation=joining.epoch,
        phase=RecordPhase.SETTLED if settled else RecordPhase.APPLYING,
        members=joining.members(),
        created=settled,
        change=joining.change,
    )


def _network(up: ServersUp, serving: frozenset[StepName]) -> list[Step]:
    networking = up.joining.spec.networking
    if networking.cni == "none":
        return []
    action = ApplyNetwork(up.via, up.joining.ownership(up.via, up.seen), networking.pod_cidr)
    return [Step("network", up.via, action, serving)]


def _metallb(up: ServersUp, serving: frozenset[StepName]) -> list[Step]:
    pools = up.joining.spec.metallb_pools
    if not pools:
        return []
    ours = up.joining.ownership(up.via, up.seen)
    return [Step("metallb", up.via, ApplyMetalLB(up.via, ours, pools), serving)]
