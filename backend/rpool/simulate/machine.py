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
    """What a cluster's etcd holds, and who its members are, with their ids. `key` tells it from
    others, and stands for the one by which its secrets are encrypted, and for its CA's.
    """

    ca: str
    version: str
    key: str = field(default_factory=lambda: token_hex(4))
    members: dict[ServerName, str] = field(default_factory=dict)
    nodes: dict[ServerName, Role] = field(default_factory=dict)
    labelled: dict[ServerName, NodeSpec] = field(default_factory=dict)
    cordoned: set[ServerName] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    certificates: bool = False
    network: bool = False
    metallb: bool = False
    pools: dict[str, tuple[str, ...]] = field(default_factory=dict)
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
        there = self.record.change if self.record else action.over
        if there not in (action.over, action.record.change):
            summary = "another operation works on the cluster, and has written its record"
            raise Refused(summary, f"(simulated) {Do.WAIT.text()}")
        self.record = action.record

    def drain(self, nodes: Iterable[ServerName]) -> None:
        """One that is broken has given back what it cordoned, so it is as if nothing had been."""
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
    """One modelled server: what is on its disk, and whether it has power. `role` is the one that it
    joined in; with `stepped_down` its control plane has ended, but for etcd. `sessions` are the
    numbers of the latest that have been there, by cluster: in its memory alone. `claim_unread` says
    that there is a claim, and why it cannot be read. `served` is the domain of its mark. `news` is
    what came or was changed since the claim, `altered` packages whose files somebody has changed.
    `sick` says what of its Node does not work: a restart mends the `kubelet`, and nothing but a new
    join the `disk`. `certificates_end` is when those of its control plane do, 0 for in a long time.
    `down_since` is when its Node began to be not Ready (seconds since 1970).
    `failures` is what it failed at since it was last a member.
    `blocked`: ports (tcp/6443) at which a firewall on it lets nobody in.
    `unwritable`: how its disk is where it takes nothing more.
    """

    server: Server
    powered: bool = True
    claim: Claim | None = None
    prepared_for: str | None = None
    traces: tuple[str, ...] = ()
    cluster: Cluster | None = None
    role: Role | None = None
    stepped_down: bool = False
    etcd_ended: bool = False
    journal: list[str] = field(default_factory=list)
    sessions: dict[PoolUid, int] = field(default_factory=dict)
    claim_unread: str = ""
    served: Domain | None = None
    news: News = ()
    altered: tuple[str, ...] = ()
    sick: Literal["", "kubelet", "disk"] = ""
    down_since: float = 0.0
    certificates_end: float = 0.0
    blocked: tuple[str, ...] = ()
    failures: list[Failure] = field(default_factory=list)
    unwritable: Literal["", "read-only", "full", "out of inodes"] = ""

    @property
    def is_as_new(self) -> bool:
        """Nothing was done with it that outlives a boot."""
        return replace(self, sessions={}) == Machine(self.server)

    @property
    def vip(self) -> str | None:
        """The virtual IP that it may hold: that of the cluster whose control plane runs on it."""
        record = self.cluster.record if self.cluster is not None else None
        runs = self.role is Role.CONTROL_PLANE and not self.stepped_down
        return record.spec.control_plane.endpoint.vip if record is not None and runs else None

    def lose_power(self, seconds_ago: float = 0.0) -> None:
        """It has none from now on, or since so long ago."""
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
        """Its Node is not Ready from then on."""
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
        """As each action's guard does: raises Refused unless the claim is that very one."""
        self.check_owner(ours.uid)
        if self.claim is None:
            raise NotClaimed(f"{self.server.name} is not claimed (simulated)")
        if self.claim.epoch != ours.epoch:
            name = self.server.name
            summary = f"{name} has another life in its cluster than this command was meant for"
            raise Refused(f"{summary} (simulated)")

    def check_owner(self, uid: PoolUid) -> None:
        """Raises Refused where there is a claim that is not this server's in that cluster."""
        name, claim = self.server.name, self.claim
        self.check_readable()
        if claim is not None and claim.uid != uid:
            raise foreign(name, claim)
        if claim is not None and claim.server != name:
            raise Refused(
                f"{name} has the claim of {claim.server}: addresses in the fleet have changed "
                "places (simulated)",
                Do.OWN_ADDRESSES.text(),
            )

    def enter_session(self, uid: PoolUid, session: int) -> None:
        """No earlier session of the cluster's acts here from now on; 0 is none. Raises Overtaken
        when a later one has been here.
        """
        latest = self.sessions.get(uid, 0)
        if session and session < latest:
            summary = f"a later operation has been on {self.server.name} (simulated)"
            raise Overtaken(summary, Do.PLAN_AGAIN.text(), latest)
        if session:
            self.sessions[uid] = session

    def latest_session(self, uid: PoolUid) -> int:
        """As whoever takes the cluster's lock is told: the claim has the number of its session."""
        claimed = self.claim.session if self.claim is not None and self.claim.uid == uid else 0
        return max(self.sessions.get(uid, 0), claimed)

    def check_prepared(self, version: str) -> None:
        if self.prepared_for != version:
            raise CommandFailed(f"{self.server.name}: kubeadm: not found (simulated)")

    def check_no_member(self) -> None:
        """Only for one that is in no cluster: it may be counted on where it was a member."""
        if self.claim is not None and not self.claim.is_joining:
            raise Refused(
                f"{self.server.name} has been a member of its cluster (simulated)",
                Do.PUT_MARK_BACK.text(server=self.server.name),
            )

    def check_domain(self, domain: Domain) -> None:
        """Raises Refused where the mark is of another domain of trust."""
        if self.served is not None and self.served != domain:
            there = f"{self.server.name} has served in {named(self.served)}"
            raise Refused(f"{there}: install it anew before it serves in another (simulated)")

    def check_not_aside(self) -> None:
        """Raises Refused where it failed in such a way that no cluster takes it."""
        name = self.server.name
        if why := next((its for its in reversed(self.failures) if its.aside), None):
            raise Refused(f"{name} was set aside: {why} (simulated)", Do.LIFT.text(server=name))

    def note(self, action: act.NoteFailure) -> None:
        self.check_owner(action.uid)
        self.enter_session(action.uid, action.session)
        if action.failure is None:
            self.failures.clear()
        elif action.failure not in self.failures:
            self.failures = [*self.failures, action.failure][-MOST_KEPT:]

    def reinstall(self) -> None:
        """Its disk is wiped; it tells nobody, as with a reset. It has power then."""
        self.__init__(self.server)  # type: ignore[misc]

    def become(self, cluster: Cluster, role: Role) -> None:
        cluster.add(self.server.name, role)
        self.cluster = cluster
        self.role = role
        self.traces = ("/etc/kubernetes/kubelet.conf",)

    def reset(self) -> News:
        """As the real one: it tells nobody, so etcd goes on counting the member; and what comes
        late of an earlier session is refused still. Returns the news: at the next claim they are
        none. Raises CommandFailed, with the claim kept, where a package is altered.
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
