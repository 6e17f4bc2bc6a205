"""Rung: members of etcd that are not control planes of the cluster.

A dead member counts against the quorum and keeps every control plane from joining, so it goes first
(etcd FAQ, "cluster size"). One that answers is somebody's machine, so it is an error.
"""

from __future__ import annotations

from rpool.decide.plan.case import Case
from rpool.errors import Refused, RpoolError
from rpool.model.action import RemoveEtcdMember
from rpool.model.seen import EtcdMember
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName


def repair(case: Case, turn: frozenset[StepName]) -> tuple[list[Step], list[RpoolError]]:
    """Steps that remove the dead members, one after the other and after the steps in `turn`; and an
    error for each member that answers.
    """
    steps: list[Step] = []
    errors: list[RpoolError] = []
    if case.desired.one is not None or case.pool.api is None:
        return steps, errors
    for member in case.pool.api.etcd or ():
        name = _server_of(case, member)
        if name in _control_planes(case):
            continue
        if member.healthy and name in _joining(case):
            continue  # its own step refuses it, once all that join before it are in
        if member.healthy:
            errors.append(_stranger(case, member))
            continue
        remove = RemoveEtcdMember(
            case.via,
            case.ours(case.via),
            name or member.name,
            address=next(iter(member.peers), ""),
        )
        steps.append(Step(remove, name or f"member {member.id}", turn))
        turn = frozenset({steps[-1].name})
    return steps, errors


def _control_planes(case: Case) -> set[ServerName]:
    """Control planes that are in, leave, or whose join has brought its new member: other steps
    handle these. What is left in etcd of one that has yet to join would keep all from joining.
    """
    own = set(case.record.of(Role.CONTROL_PLANE)) - case.gone
    leave = {n for n in case.going if case.role_now(n) is Role.CONTROL_PLANE}
    join = _joining(case)
    return (own | leave) - join | {name for name in join if _has_ended(case, name)}


def _joining(case: Case) -> set[ServerName]:
    return {name for name in case.coming if case.role(name) is Role.CONTROL_PLANE}


def _has_ended(case: Case, name: ServerName) -> bool:
    probed = case.pool.probed(name)
    return probed is not None and probed.kubeadm_ended


def _server_of(case: Case, member: EtcdMember) -> ServerName:
    """The server that a member runs on or was added for; its name if no server is known."""
    if member.name:
        return member.name
    by_address = {address: name for name, address in case.addresses().items()}
    return next((by_address[peer] for peer in member.peers if peer in by_address), "")


def _stranger(case: Case, member: EtcdMember) -> RpoolError:
    return Refused(
        f"etcd of cluster {case.spec.name} has a member {member.name} that answers and is no "
        "control plane of the cluster",
        "It is not taken out while it answers. If it is a server of this fleet, look at it "
        "(/var/lib/rpool/claim); if it is nobody's, stop it, and apply again.",
    )
