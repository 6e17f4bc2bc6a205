"""The rules that hold at every moment, judged at each effect and after each event.

- A server never has two owners: no claim of one cluster is on a member of another.
- A server under another cluster's claim is never touched.
- etcd never loses its quorum by an action of ours.
- Never two control planes of a cluster change at once.
- No server is reset as a member of etcd of a living cluster, nor undrained as its member, unless
  its cluster is being destroyed or the fleet says that it is lost.
- Nothing dirty is a spare, and nothing dirty is claimed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import copy

from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Phase
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.world import SimulatedWorld


class Rules:
    """`broken` has the rules that did not hold. `dying` are clusters that may be destroyed."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.broken: list[str] = []
        self.dying: set[PoolUid] = set()
        self._owners: defaultdict[int, set[PoolUid]] = defaultdict(set)  # by identity of a cluster
        self._kept: dict[int, Cluster] = {}  # so that no identity is used again
        self._drained: set[tuple[int, ServerName]] = set()
        self._members: set[ServerName] = set()

    def judged(
        self, action: Action, effect: Callable[[], object], others: Iterable[Action] = ()
    ) -> None:
        """Runs `effect`, the doing of `action` while `others` are under way. Raises as it does."""
        machine = self.world.machines[action.server]
        quorate, before, cluster = self._quorate(), copy(machine), machine.cluster
        if isinstance(action, act.Reset) and machine.claim is not None:
            self._judge_reset(action, machine, quorate)
        self._judge_others(action, others)
        try:
            effect()
        finally:
            self._judge_owner(action, before, machine)
            for lost in quorate - self._quorate():
                if cluster is None or not self._is_dying(lost):
                    self.broken.append(f"{action.doing} on {action.server} cost a quorum")
        self._remember(action, machine)
        self.check()

    def check(self) -> None:
        """Judges what holds of all servers at any moment."""
        for name, machine in self.world.machines.items():
            claim, cluster = machine.claim, machine.cluster
            if claim is None and (machine.traces or cluster is not None):
                self.broken.append(f"{name} is dirty, and nobody's")
            if claim is not None and cluster is not None:
                self._know(cluster)
                if claim.uid not in self._owners[id(cluster)]:
                    self.broken.append(f"{name} is claimed by {claim.uid}, and another's member")

    # -- one rule each -------------------------------------------------------------------------

    def _judge_reset(self, action: act.Reset, machine: Machine, quorate: set[int]) -> None:
        name, cluster = action.server, machine.cluster
        if cluster is None or id(cluster) not in quorate or action.ownership.uid in self.dying:
            return
        if name in cluster.members:
            self.broken.append(f"{name} was reset as a member of etcd of a living cluster")
        lost = name in self.world.fleet.servers and self.world.fleet.servers[name].lost
        serves_pods = name in self._members and not lost and name in cluster.nodes
        if serves_pods and (id(cluster), name) not in self._drained:
            self.broken.append(f"{name} was reset undrained, its cluster lives")

    def _judge_others(self, action: Action, others: Iterable[Action]) -> None:
        if not moves_a_control_plane(action):
            return
        for other in others:
            if moves_a_control_plane(other) and other.ownership.uid == action.ownership.uid:  # type: ignore[union-attr]
                where = f"{other.doing} on {other.server}"
                self.broken.append(f"{action.doing} on {action.server} at the same time as {where}")

    def _judge_owner(self, action: Action, before: Machine, machine: Machine) -> None:
        if before.claim is None and machine.claim is not None and (before.traces or before.cluster):
            self.broken.append(f"{action.server} was claimed dirty")
        if machine == before or before.claim is None:
            return
        if isinstance(action, act.TakeClaim):
            uids = {action.claim.uid, *([action.over.uid] if action.over else [])}
        else:
            uids = (
                set()
                if isinstance(action, act.AwaitReady | act.NoteFailure)
                else {action.ownership.uid}
            )
        if before.claim.uid not in uids:
            self.broken.append(f"{action.doing} touched {action.server} of {before.claim.uid}")

    # -- what is remembered --------------------------------------------------------------------

    def _remember(self, action: Action, machine: Machine) -> None:
        name, cluster = action.server, machine.cluster
        if isinstance(action, act.SetPhase) and action.phase is Phase.MEMBER:
            self._members.add(name)
        if isinstance(action, act.Reset):
            self._members.discard(name)
        if cluster is None:
            return
        self._know(cluster)
        if isinstance(action, act.Drain):
            self._drained |= {(id(cluster), node) for node in action.nodes}
        if isinstance(action, act.Join | act.Init):
            self._drained.discard((id(cluster), name))
        if isinstance(action, act.Init):
            self._owners[id(cluster)].add(action.ownership.uid)
        over = action.over if isinstance(action, act.TakeClaim) else None
        if over is not None and over.uid in self._owners[id(cluster)]:
            assert isinstance(action, act.TakeClaim)
            self._owners[id(cluster)].add(action.claim.uid)  # it goes on with what a create left

    def _know(self, cluster: Cluster) -> None:
        self._kept[id(cluster)] = cluster
        if cluster.record is not None:
            self._owners[id(cluster)].add(cluster.record.uid)

    def _quorate(self) -> set[int]:
        clusters = {id(m.cluster): m.cluster for m in self.world.machines.values() if m.cluster}
        return {key for key, cluster in clusters.items() if has_quorum(self.world, cluster)}

    def _is_dying(self, key: int) -> bool:
        inside = [m for m in self.world.machines.values() if id(m.cluster) == key]
        return not inside or any(m.claim is not None and m.claim.uid in self.dying for m in inside)


def has_quorum(world: SimulatedWorld, cluster: Cluster, more: int = 0) -> bool:
    """Whether more than half of the cluster's etcd members run, if it had `more` that do not.
    The engine's own arithmetic is not used, as it is what is judged.
    """
    return 2 * len(world._running(cluster)) > len(cluster.members) + more


def moves_a_control_plane(action: Action) -> bool:
    if isinstance(action, act.Join):
        return action.control_plane
    return isinstance(action, act.Init | act.StepDown | act.RemoveEtcdMember | act.RecoverEtcd)
