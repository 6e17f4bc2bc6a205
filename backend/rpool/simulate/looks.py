"""What can be seen of modelled servers, and of the clusters that they form."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from rpool.advice import Do
from rpool.certificates import new_authority, organizations, sign_request
from rpool.decide.quorum import majority
from rpool.errors import (
    CommandFailed,
    NotInFleet,
    Unreachable,
)
from rpool.model.access import SHORTEST_SECONDS
from rpool.model.claim import Fence
from rpool.model.event import Event
from rpool.model.inspection import Inspected, Port, Trial
from rpool.model.pool import NodeSpec, PoolUid
from rpool.model.secret import Secret
from rpool.model.seen import (
    LEAVING_MARK,
    ClusterSeen,
    EtcdMember,
    NodeSeen,
    PackagesSeen,
    Probed,
    Requested,
    Working,
)
from rpool.model.server import Fleet, Role, ServerName
from rpool.simulate.machine import Cluster, Machine


class Looks:
    """The looks of `rpool.model.world.World`. `fleet` says which servers can be reached, `machines`
    what is on them.
    """

    at_once = 32

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.machines = {name: Machine(server) for name, server in fleet.servers.items()}
        self._locks: set[tuple[ServerName, PoolUid]] = set()
        self._guard: AbstractContextManager[object] = threading.RLock()
        self.clock: Callable[[], float] = time.time

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        with self._guard:
            machine = self._reach(server)
            if fence is not None:
                machine.enter_session(fence.uid, fence.session)
            hardware, unread = machine.server, machine.claim_unread
            return Probed(
                server=server,
                hostname=server,
                machine_id=f"machine-{server}",
                product_uuid="",
                cores=hardware.cores,
                memory_mib=hardware.memory_gib * 1024 * 98 // 100,
                claim=machine.claim,
                traces=(*machine.traces, *([f"a claim that {unread}"] if unread else [])),
                joined=machine.cluster is not None,
                joined_control_plane=machine.role is Role.CONTROL_PLANE,
                addresses=(hardware.address,),
                routes=(),
                clock_seconds=time.time(),
                kubeadm_ended=machine.cluster is not None,
                claim_unread=unread,
                served=machine.served,
                certificate="/etc/kubernetes/pki/apiserver.crt" if machine.certificates_end else "",
                certificate_end_seconds=machine.certificates_end,
                failures=tuple(machine.failures),
                unwritable=machine.unwritable,
            )

    def address_answers(self, server: ServerName, address: str) -> bool:
        with self._guard:
            self._reach(server)
            return any(
                machine.powered and address in (machine.server.address, machine.vip)
                for machine in self.machines.values()
            )

    def working(self, server: ServerName) -> Working | None:
        """An action of the model takes no time."""
        with self._guard:
            self._reach(server)
        return None

    def reaches_api(self, server: ServerName) -> bool:
        with self._guard:
            cluster = self._reach(server).cluster
            return cluster is not None and any(
                self._serves(cluster, name) for name in cluster.members
            )

    def _serves(self, cluster: Cluster, name: ServerName) -> bool:
        running = self._running(cluster)
        enough = len(running) >= majority(len(cluster.members))
        return enough and name in running and not self.machines[name].stepped_down

    def kubernetes_packages(self, server: ServerName, minor: str) -> PackagesSeen:
        with self._guard:
            self._reach(server)
            return PackagesSeen()

    def inspect(self, server: ServerName, trial: Trial) -> Inspected:
        with self._guard:
            machine = self._reach(server)
            shut = {
                (visit.peer, visit.port): "no answer"
                for visit in trial.visits
                if not self._lets_in(visit.peer, visit.port)
            }
            return Inspected(
                interface="eth0",
                mac=f"02:00:{machine.server.address}",
                mtu=1500,
                system="Debian GNU/Linux (simulated)",
                systems=frozenset({"debian"}),
                cut=shut,
            )

    def _lets_in(self, server: ServerName, port: Port) -> bool:
        machine = self.machines.get(server)
        return machine is not None and machine.powered and str(port) not in machine.blocked

    def observe(self, server: ServerName) -> ClusterSeen:
        with self._guard:
            cluster = self._serving(server)
            return ClusterSeen(
                nodes={name: self._node(cluster, name) for name in cluster.nodes},
                record=cluster.record,
                ca_certificate=cluster.ca,
                metallb=cluster.metallb and not (cluster.record and cluster.record.is_settled),
                open_to_joiners=bool(cluster.tokens),
                clock_seconds=self.clock(),
            )

    def _node(self, cluster: Cluster, name: ServerName) -> NodeSeen:
        machine = self.machines[name]
        ready = cluster.network and self._runs(cluster, name) and not machine.sick
        since = 0.0 if ready else machine.down_since
        return NodeSeen(
            ready=ready,
            since=_time(since) if since else "",
            since_seconds=since,
            schedulable=name not in cluster.cordoned,
            control_plane=cluster.nodes[name] is Role.CONTROL_PLANE,
            labels={
                **cluster.labelled.get(name, NodeSpec()).labels,
                **({LEAVING_MARK: "true"} if name in cluster.cordoned else {}),
            },
            taints=cluster.labelled.get(name, NodeSpec()).taints,
            allocatable_cores=float(machine.server.cores),
            allocatable_memory_gib=machine.server.memory_gib * 0.98,
        )

    def _reach(self, server: ServerName) -> Machine:
        if server not in self.fleet.servers:
            raise NotInFleet(
                f"{server} is no longer in the fleet (simulated)",
                f"{Do.PUT_ENTRY_BACK.text()} {Do.SIMULATE_AS_MANY.text()}",
            )
        machine = self.machines[server]
        if not machine.powered:
            raise Unreachable(f"{server} cannot be reached (simulated)")
        return machine

    def encryption(self, server: ServerName) -> Secret:
        with self._guard:
            return Secret(self._serving(server).key)

    def etcd_members(self, server: ServerName) -> tuple[EtcdMember, ...]:
        with self._guard:
            cluster = self._etcd(server)
            return tuple(
                EtcdMember(id_, name, votes=True, healthy=name in self._running(cluster))
                for name, id_ in cluster.members.items()
            )

    def requested(self, server: ServerName) -> Mapping[ServerName, Requested]:
        """No pods are modelled."""
        with self._guard:
            self._serving(server)
        return {}

    def journal(self, server: ServerName, most_lines: int) -> tuple[Event, ...]:
        with self._guard:
            lines = self._reach(server).journal[-most_lines:]
        return tuple(event for event in map(Event.of_line, lines) if event is not None)

    def sign(self, server: ServerName, request: str, seconds: int) -> str:
        """By the rules of the signer kubernetes.io/kube-apiserver-client."""
        with self._guard:
            cluster = self._serving(server)
        if seconds < SHORTEST_SECONDS:
            raise CommandFailed(f"expirationSeconds: {seconds} is too little (simulated)")
        if "system:masters" in organizations(request):
            raise CommandFailed("nobody may ask for system:masters (simulated)")
        return sign_request(request, (cluster.ca, new_authority(cluster.key)[1]), seconds)

    def _serving(self, server: ServerName) -> Cluster:
        """The cluster with the API that `server` serves."""
        if self._reach(server).stepped_down:
            raise CommandFailed(f"{server} serves no API (simulated)")
        return self._etcd(server)

    def _etcd(self, server: ServerName) -> Cluster:
        """The cluster that has `server` as a member of its etcd. Raises without a quorum."""
        cluster = self._reach(server).cluster
        if cluster is None or server not in cluster.members:
            raise CommandFailed(f"{server} serves no API (simulated)")
        if len(self._running(cluster)) < majority(len(cluster.members)):
            raise CommandFailed(f"{server}: etcd has no quorum (simulated)")
        return cluster

    def _running(self, cluster: Cluster) -> set[ServerName]:
        """The members of etcd that run. A worker of such a name runs none."""
        return {
            name
            for name in cluster.members
            if name in self.machines
            and self.machines[name].role is Role.CONTROL_PLANE
            and not self.machines[name].etcd_ended
            and self._runs(cluster, name)
        }

    def _runs(self, cluster: Cluster, name: ServerName) -> bool:
        machine = self.machines[name]
        return machine.powered and machine.cluster is cluster


def _time(seconds: float) -> str:
    """As Kubernetes writes it."""
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"
