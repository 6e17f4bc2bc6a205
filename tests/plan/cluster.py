"""A cluster as a case describes it: each server in a few words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rpool.errors import Unreachable
from rpool.model.claim import Claim, Phase
from rpool.model.observed import Sighting
from rpool.model.seen import LEAVING_MARK, ClockSeen, EtcdMember, NodeSeen, Probed
from rpool.model.server import Role, Server, ServerName

UID = "0badcafe"
OTHERS = "ffffffff"


@dataclass(frozen=True)
class Facts:
    """The facts about a server. As they are by default, it is a whole member of its cluster."""

    name: ServerName
    number: int
    role: Role
    recorded: bool = True
    pinned: bool = False
    phase: Phase | None = Phase.MEMBER
    uid: str = UID
    joined: bool = True
    kubeadm_ended: bool = True
    clean: bool = False
    node: bool = True
    ready: bool = True
    cordoned: bool = False
    etcd: str | None = "healthy"
    asked: bool = True
    silent: bool = False
    lost: bool = False
    reserved: bool = False
    is_small: bool = False
    trust: str = ""
    served: str | None = None

    @property
    def address(self) -> str:
        return f"10.0.1.{self.number}"

    @property
    def is_control_plane(self) -> bool:
        return self.role is Role.CONTROL_PLANE

    @property
    def serves(self) -> bool:
        """Whether the API can be reached through it."""
        up = self.asked and not self.silent and self.joined
        return self.is_control_plane and up and self.etcd == "healthy"

    def server(self) -> Server:
        return Server(
            name=self.name,
            address=self.address,
            cores=8,
            memory_gib=16,
            zone="rack1",
            host_key="ssh-ed25519 AAAA",
            lost=self.lost,
            reserved=self.reserved,
            trust=self.trust,
        )

    def claim(self) -> Claim | None:
        if self.phase is None:
            return None
        return Claim(
            self.uid, "batch", "ann", self.role, self.phase, 1, "2026-01-01", self.name, ""
        )

    def sighting(self) -> Sighting:
        probed = Probed(
            server=self.name,
            hostname=self.name,
            machine_id=f"machine-{self.name}",
            product_uuid="",
            cores=8,
            memory_mib=(4 if self.is_small else 16) * 1000,
            claim=self.claim(),
            traces=() if self.clean or self.phase else ("/etc/kubernetes",),
            joined=self.joined,
            joined_control_plane=self.joined and self.is_control_plane,
            addresses=(self.address,),
            routes=(),
            clock_seconds=0.0,
            kubeadm_ended=self.kubeadm_ended,
            served=self.served,
        )
        return Sighting(probed, ClockSeen(0.0))

    def error(self) -> Unreachable:
        return Unreachable(f"{self.name} does not answer")

    def node_seen(self) -> NodeSeen:
        return NodeSeen(
            ready=self.ready,
            schedulable=not self.cordoned,
            control_plane=self.is_control_plane,
            allocatable_cores=8.0,
            allocatable_memory_gib=15.0,
            labels={LEAVING_MARK: "true"} if self.cordoned else {},
        )

    def member(self) -> EtcdMember | None:
        if not self.is_control_plane or self.etcd is None:
            return None
        unnamed = self.etcd == "never started"
        return EtcdMember(
            id=f"{self.number:x}",
            name="" if unnamed else self.name,
            votes=not unnamed,
            healthy=self.etcd == "healthy",
            peers=(self.address,),
        )


Change = Callable[[Facts], Facts]


def _with(**facts: object) -> Change:
    return lambda server: replace(server, **facts)  # type: ignore[arg-type]


_OUT = {"joined": False, "kubeadm_ended": False, "node": False, "etcd": None}

WORDS: dict[str, Change] = {
    # how far in
    "claimed": _with(phase=Phase.BOOTSTRAPPING, **_OUT),
    "joined": _with(phase=Phase.BOOTSTRAPPING),
    "kubeadm ended": _with(phase=Phase.BOOTSTRAPPING, joined=False),
    "leaving": _with(phase=Phase.LEAVING, cordoned=True),
    "no claim": _with(phase=None),
    "clean": _with(phase=None, clean=True, **_OUT),
    "another's": lambda s: replace(s, uid=OTHERS, phase=s.phase or Phase.MEMBER),
    "no node": _with(node=False),
    "node": _with(node=True),
    "not joined": _with(joined=False, kubeadm_ended=False),
    # what its Node and etcd say
    "not ready": _with(ready=False),
    "cordoned": _with(cordoned=True),
    "no etcd": _with(etcd=None),
    "etcd dead": _with(etcd="dead"),
    "etcd alive": _with(etcd="healthy"),
    "etcd never started": _with(etcd="never started"),
    # whether it answers, and what the fleet says
    "silent": lambda s: replace(
        s, silent=True, ready=False, etcd="dead" if s.etcd == "healthy" else s.etcd
    ),
    "not asked": _with(asked=False),
    "lost": _with(lost=True),
    "reserved": _with(reserved=True),
    "small": _with(is_small=True),
    # domains of trust
    "of team-a": _with(trust="team-a"),
    "served in common": _with(served=""),
    "served in team-a": _with(served="team-a"),
    # what the record says
    "not in the record": _with(recorded=False),
    "in the record": _with(recorded=True),
    "pinned": _with(pinned=True, reserved=True),
}

ROLES = {"control_plane": Role.CONTROL_PLANE, "worker": Role.WORKER, "spare": Role.WORKER}


def facts(name: ServerName, number: int, words: str) -> Facts:
    """The facts about a server from its `words`: its role, and where it is no whole member."""
    role, *more = (word.strip() for word in words.split(","))
    server = Facts(name, number, ROLES[role])
    if role == "spare":
        server = replace(WORDS["clean"](server), recorded=False)
    for word in more:
        server = WORDS[word](server)
    return server
