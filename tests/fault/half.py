"""What a script has done when it is killed in its middle, and what goes on without its operator."""

from __future__ import annotations

from fault.rules import has_quorum
from rpool.errors import RpoolError
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.server import Role
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.world import SimulatedWorld

BEGUN = ("/etc/kubernetes/pki",)
"""Traces of a kubeadm or a reset that was cut off."""


def half_done(action: Action, world: SimulatedWorld) -> None:
    """Does half of an action. Raises as the whole action does where its guard refuses it. What is
    written in one piece (a claim, a phase, the record) is not written at all.
    """
    machine = world.machines[action.server]
    if isinstance(action, act.Unowned):
        return
    machine.check_claim(action.ownership)
    machine.enter_session(action.ownership.uid, action.ownership.session)
    match action:
        case act.Init():
            if machine.cluster is None:
                machine.check_no_member()
                machine.traces = BEGUN
        case act.Join():
            if machine.cluster is None:
                machine.check_no_member()
                _half_join(action, machine, world)
        case act.Reset():
            machine.cluster, machine.role, machine.stepped_down = None, None, False
            machine.traces = BEGUN
        case act.Drain(nodes=nodes):
            world._serving(action.server).drain(nodes[:1])
        case act.StepDown():
            machine.stepped_down = machine.role is Role.CONTROL_PLANE
        case _:
            pass


def _half_join(action: act.Join, machine: Machine, world: SimulatedWorld) -> None:
    """Leaves a voter in etcd only where that does not cost quorum: kubeadm adds a learner, which
    does not vote before it has caught up.
    """
    machine.check_prepared(action.spec.kubernetes_version)
    cluster = world._serving(action.through)
    role = Role.CONTROL_PLANE if action.control_plane else Role.WORKER
    cluster.admit(action.secrets, machine.server.name, role)
    machine.traces = BEGUN
    name = machine.server.name
    has_room = has_quorum(world, cluster, more=1)
    if action.control_plane and name not in cluster.members and has_room:
        cluster.add(name, role)
        del cluster.nodes[name]


def join_goes_on(action: act.Join, cluster: Cluster | None, machine: Machine) -> None:
    """Completes a join that is past its guard. It needed its token only at its beginning."""
    owner = machine.claim and (machine.claim.uid, machine.claim.epoch)
    ours = owner == (action.ownership.uid, action.ownership.epoch)
    if ours and cluster is not None and machine.cluster is None:
        role = Role.CONTROL_PLANE if action.control_plane else Role.WORKER
        if role is Role.WORKER or action.server not in cluster.members:
            machine.become(cluster, role)


def begins(action: Action, machine: Machine) -> bool:
    """Whether the action goes on by itself. A join does if it gets past the guard now; any other
    comes to the guard later.
    """
    if not isinstance(action, act.Join):
        return True
    try:
        machine.check_claim(action.ownership)
        machine.enter_session(action.ownership.uid, action.ownership.session)
    except RpoolError:
        return False
    return True
