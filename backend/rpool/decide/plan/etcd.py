"""Rung: members of etcd that are not control planes of the cluster.

A dead member counts against the quorum and keeps every control plane from joining, so it goes first
(etcd FAQ, "cluster size"). One that answers is in use, so it is an error.
"""

from __future__ import annotations

from rpool.advice import Do
from rpool.decide.plan.case import Case
from rpool.errors import Refused, RpoolError
from rpool.model.action import RemoveEtcdMember
from rpool.model.seen import EtcdMember
from rpool.model.server import Role, ServerName
from rpool.model.step import Step, StepName, names


def repair(case: Case, turn: frozenset[StepName]) -> tuple[list[Step], list[RpoolError]]:
    """Steps that remove dead members, one after the other and after the steps in `turn`; and an
    error for each member that answers.
    """
    steps: list[Step] = []
    errors: list[RpoolError] = []
    if case.desired.one is not None:
        return steps, errors
    for member in case.pool.etcd or ():
        name = _server_of(case, member)
        if name in _control_planes(case):
            continue
        if not member.healthy:
            address = next(iter(member.peers), "")
            remove = RemoveEtcdMember(case.through, case.ours(case.through), name, address=address)
            steps.append(Step(remove, name or f"member {member.id}", turn))
            turn = names(steps[-1:])
        elif name not in case.coming_control_planes:
            errors.append(_stranger(case, member))
        # The step of one that joins refuses it, once all that join before it are in.
    return steps, errors


def _control_planes(case: Case) -> set[ServerName]:
    """Control planes whose etcd members other steps handle: those that are in, that leave, or whose
    kubeadm has ended. An old member of one that has yet to join would keep all others from joining.
    """
    own = set(case.record.of(Role.CONTROL_PLANE)) - case.gone
    yet_to_join = {name for name in case.coming_control_planes if not case.kubeadm_ended(name)}
    return own.union(case.going_control_planes, case.coming_control_planes) - yet_to_join


def _server_of(case: Case, member: EtcdMember) -> ServerName:
    """The server that a member runs on or was added for; its name if no server is known."""
    if member.name:
        return member.name
    by_address = {server.address: name for name, server in case.fleet.servers.items()}
    return next((by_address[peer] for peer in member.peers if peer in by_address), "")


def _stranger(case: Case, member: EtcdMember) -> RpoolError:
    return Refused(
        f"etcd of cluster {case.spec.name} has a member {member.name} that answers, but is no "
        "control plane of the cluster",
        f"It is not removed while it answers. {Do.STOP_STRANGER.text()}",
    )
