"""What a modelled server remembers, as its disk would, and the clusters that servers share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Literal

from rpool.advice import Do
from rpool.certificates import ca_pin, new_ca
from rpool.errors import CommandFailed, ForeignClaim, NotClaimed, Overtaken, Refused, TimedOut
from rpool.model import action as act
from rpool.model.claim import Claim, Ownership
from rpool.model.cni import CNIS
from rpool.model.failure import MOST_KEPT, Failure
from rpool.model.pool import NodeSpec, PoolUid
from rpool.model.record import Record
from rpool.model.server import Role, Server, ServerName
from rpool.model.step import News
from rpool.model.trust import Domain, named


def foreign(server: ServerName, claim: Claim) -> ForeignClaim:
    return ForeignClaim(f"{server} is claimed by cluster {claim.pool} (uid {claim.uid})")


@dataclass
class Cluster:
    """What a cluster's etcd holds, and which members etcd has."""

    ca: str
    version: str
    # Tells the cluster from others; stands for the key of its CA, and that of its Secrets.
    key: str = field(default_factory=lambda: token_hex(4))
    members: dict[ServerName, str] = field(default_factory=dict)  # of etcd, with their ids
    nodes: dict[ServerName, Role] = field(default_factory=dict)
    labelled: dict[ServerName, NodeSpec] = field(default_factory=dict)
    cordoned: set[ServerName] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    certificates: bool = False  # whether they are uploaded, for control planes to join
    network: bool = False
    metallb: bool = False
    pools: dict[str, tuple[str, ...]] = field(default_factory=dict)  # MetalLB's
    record: Record | None = None

    @classmethod
    def new(cls, version: str) -> Cluster:
        key = token_hex(4)
        return cls(new_ca(key), version, key)

    def add(self, name: ServerName, role: Role) -> None:
        """The Node, and for a control plane a member of etcd; ids are never used again."""
        self.nodes[name] = role
        if role is Role.CONTROL_PLANE:
            self.members[name] = token_hex(8).lstrip("0")

    def label(self, action: act.SetNode) -> None:
        if action.node not in self.nodes:
            raise CommandFailed(f"there is no node {action.node} (simulated)")
        self.labelled[action.node] = action.wanted

    def open(self, secrets: act.JoinSecrets, control_plane: bool) -> None:
        """Servers with these secrets can join; control planes if the certificates are there."""
        self.tokens.add(secrets.token.reveal())
        self.certificates = self.certificates or control_plane

    def close(self) -> None:
        self.tokens.clear()
        self.certificates = False

    def admit(self, secrets: act.JoinSecrets, name: ServerName, role: Role) -> None:
        """Raises CommandFailed unless a server with these secrets is let in."""
        if role is Role.CONTROL_PLANE and not self.certificates:
            raise CommandFailed(f"{name}: there are no uploaded certificates (simulated)")
        if secrets.token.reveal() not in self.tokens:
            raise CommandFailed(f"{name}: the bootstrap token is not valid (simulated)")
        if role is Role.CONTROL_PLANE and secrets.encryption.reveal() != self.key:
            raise CommandFailed(f"{name}: it could not read the cluster's Secrets (simulated)")
        if secrets.ca_pin != ca_pin(self.ca):
            raise CommandFailed(f"{name}: the cluster's CA is not the pinned one (simulated)")

    def install_network(self, action: act.ApplyNetwork) -> None:
        if action.cni not in CNIS:
            raise Refused(f"{action.cni!r:.60} is no cni that rpool knows", "(simulated)")
        self.network = True

    def write_record(self, action: act.WriteRecord) -> None:
        current = self.record.change if self.record else action.over
        if current not in (action.over, action.record.change):
            summary = "another operation works on the cluster, and has written its record"
            raise Refused(summary, f"(simulated) {Do.WAIT.text()}")
        self.record = action.record

    def drain(self, nodes: Iterable[ServerName]) -> None:
        """A drain that fails uncordons what it cordoned, as if it had never been: not modelled."""
        self.cordoned.update(name for name in nodes if name in self.nodes)

    def delete_node(self, name: ServerName) -> None:
        self.nodes.pop(name, None)
        self.labelled.pop(name, None)
        self.cordoned.discard(name)

    def install_metallb(self, action: act.ApplyMetalLB) -> None:
        self.metallb = True
        self.pools = dict(action.pools)

    def remove_metallb(self) -> None:
        self.metallb = False
        self.pools.clear()


@dataclass
class Machine:
    """One modelled server: what is on its disk, and whether it has power."""

    server: Server
    powered: bool = True
    claim: Claim | None = None
    prepared_for: str | None = None  # the version of Kubernetes
    traces: tuple[str, ...] = ()
    cluster: Cluster | None = None
    role: Role | None = None  # that it joined in
    stepped_down: bool = False  # its control plane has ended, except for etcd
    etcd_ended: bool = False
    journal: list[str] = field(default_factory=list)
    # The latest session here, by cluster; in memory alone.
    sessions: dict[PoolUid, int] = field(default_factory=dict)
    claim_unread: str = ""  # why its claim cannot be read, if it has such a one
    served: Domain | None = None  # the domain of its mark
    news: News = ()  # what came or was changed since the claim
    altered: tuple[str, ...] = ()  # packages with files that somebody has changed
    # What of its Node fails: a restart mends the kubelet, only a new join the disk.
    sick: Literal["", "kubelet", "disk"] = ""
    down_since: float = 0.0  # when its Node began to be not Ready (seconds since 1970)
    certificates_end: float = 0.0  # of its control plane; 0: in a long time
    blocked: tuple[str, ...] = ()  # ports (tcp/6443) that a firewall on it closes
    failures: list[Failure] = field(default_factory=list)  # since it was last a member
    # How its disk is, where it takes nothing more.
    unwritable: Literal["", "read-only", "full", "out of inodes"] = ""

    @property
    def is_as_new(self) -> bool:
        """Whether nothing was done with it that outlives a boot."""
        return replace(self, sessions={}) == Machine(self.server)

    @property
    def vip(self) -> str | None:
        """The virtual IP that it may hold: that of a cluster with a control plane on it."""
        record = self.cluster.record if self.cluster is not None else None
        runs = self.role is Role.CONTROL_PLANE and not self.stepped_down
        return record.spec.control_plane.endpoint.vip if record is not None and runs else None

    def lose_power(self, seconds_ago: float = 0.0) -> None:
        """Take its power away, now or `seconds_ago`."""
        if self.powered or seconds_ago:
            self.down_since = time.time() - seconds_ago
        self.powered = False
        self.sessions.clear()

    def give_power(self) -> None:
        if not self.powered and not self.sick:
            self.down_since = 0.0
        self.powered = True
        self.start_kubelet()

    def fall_sick(self, what: Literal["kubelet", "disk"], seconds_ago: float = 0.0) -> None:
        """Make its Node not Ready, from `seconds_ago` on."""
        self.sick, self.down_since = what, time.time() - seconds_ago

    def mend(self) -> None:
        """Raises TimedOut where a restart does not help."""
        if self.sick == "disk":
            raise TimedOut(f"{self.server.name}: its Node is not Ready (simulated)")
        self.sick, self.down_since = "", 0.0
        self.start_kubelet()

    def start_kubelet(self) -> None:
        """It registers its Node, if it is a member of anything."""
        if self.cluster is not None and self.role is not None:
            self.cluster.nodes.setdefault(self.server.name, self.role)

    def check_readable(self) -> None:
        """Raises Refused when there is a claim that cannot be read."""
        if self.claim_unread:
            summary = f"{self.server.name} has a claim that {self.claim_unread} (simulated)"
            raise Refused(summary)

    def check_claim(self, ours: Ownership) -> None:
        """Raises Refused unless the claim is exactly this one, as each action's guard does."""
        self.check_owner(ours.uid)
        if self.claim is None:
            raise NotClaimed(f"{self.server.name} is not claimed (simulated)")
        if self.claim.epoch != ours.epoch:
            name = self.server.name
            summary = f"{name} has a different claim than this command expects"
            raise Refused(f"{summary} (simulated)")

    def check_owner(self, uid: PoolUid) -> None:
        """Raises Refused where there is a claim that is not this server's in that cluster."""
        name, claim = self.server.name, self.claim
        self.check_readable()
        if claim is not None and claim.uid != uid:
            raise foreign(name, claim)
        if claim is not None and claim.server != name:
            raise Refused(
                f"{name} has the claim of {claim.server}: addresses in the fleet are "
                "swapped (simulated)",
                Do.OWN_ADDRESSES.text(),
            )

    def enter_session(self, uid: PoolUid, session: int) -> None:
        """From now on no earlier session of the cluster can act here; 0 is no session. Raises
        Overtaken when a later one has been here.
        """
        latest = self.sessions.get(uid, 0)
        if session and session < latest:
            summary = f"a later operation has worked on {self.server.name} (simulated)"
            raise Overtaken(summary, Do.PLAN_AGAIN.text(), latest)
        if session:
            self.sessions[uid] = session

    def latest_session(self, uid: PoolUid) -> int:
        """The number to give with the cluster's lock; a claim has the number of its session."""
        claimed = self.claim.session if self.claim is not None and self.claim.uid == uid else 0
        return max(self.sessions.get(uid, 0), claimed)

    def check_prepared(self, version: str) -> None:
        if self.prepared_for != version:
            raise CommandFailed(f"{self.server.name}: kubeadm: not found (simulated)")

    def check_no_member(self) -> None:
        """Raises Refused if it was a member, and may be counted on. Only if it is in no cluster."""
        if self.claim is not None and not self.claim.is_joining:
            raise Refused(
                f"{self.server.name} has been a member of its cluster (simulated)",
                Do.PUT_MARK_BACK.text(server=self.server.name),
            )

    def check_domain(self, domain: Domain) -> None:
        """Raises Refused where the mark is of another domain of trust."""
        if self.served is not None and self.served != domain:
            summary = f"{self.server.name} has served in {named(self.served)}"
            raise Refused(f"{summary}: reinstall it before it serves in another (simulated)")

    def check_not_aside(self) -> None:
        """Raises Refused where it failed in such a way that no cluster takes it."""
        name = self.server.name
        if why := next((failure for failure in reversed(self.failures) if failure.aside), None):
            raise Refused(f"{name} was quarantined: {why} (simulated)", Do.LIFT.text(server=name))

    def note(self, action: act.NoteFailure) -> None:
        self.check_owner(action.uid)
        self.enter_session(action.uid, action.session)
        if action.failure is None:
            self.failures.clear()
        elif action.failure not in self.failures:
            self.failures = [*self.failures, action.failure][-MOST_KEPT:]

    def reinstall(self) -> None:
        """Wipe its disk; no cluster hears of it, as with a reset. It has power then."""
        self.__init__(self.server)  # type: ignore[misc]

    def become(self, cluster: Cluster, role: Role) -> None:
        cluster.add(self.server.name, role)
        self.cluster = cluster
        self.role = role
        self.traces = ("/etc/kubernetes/kubelet.conf",)

    def reset(self) -> News:
        """As the real one: no cluster hears of it, so etcd goes on counting the member; and late
        actions of an earlier session are still refused. Returns the news, and clears them. Raises
        CommandFailed, with the claim kept, where a package is altered.
        """
        self.cluster = None
        self.role = None
        self.stepped_down = self.etcd_ended = False
        self.sick, self.down_since = "", 0.0
        self.traces = ()
        if self.altered:
            summary = f"{self.server.name} has packages whose files were changed (simulated)"
            detail = f"{', '.join(self.altered)}. {Do.REINSTALL.text()}"
            raise CommandFailed(summary, detail)
        self.journal.clear()
        self.claim = None
        news, self.news = self.news, ()
        return news
