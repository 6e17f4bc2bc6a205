"""The case before the planner: what is desired beside what was observed.

Which servers join and leave, through which control plane, and what is in the way: each rung asks
here, so that all of them answer from the same facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from functools import cached_property

from rpool.advice import Do
from rpool.decide.membership import Membership, Part
from rpool.decide.node_spec import node_spec
from rpool.decide.plan.arrivals import why_not
from rpool.decide.preflight import findings
from rpool.errors import Refused, RpoolError, Unreachable
from rpool.model.claim import Ownership
from rpool.model.desired import Desired, Operation
from rpool.model.observed import Observed
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.record import Member, Record
from rpool.model.server import Fleet, Role, ServerName


@dataclass(frozen=True)
class Case:
    desired: Desired
    pool: Observed
    operation: Operation
    fleet: Fleet

    @property
    def spec(self) -> PoolSpec:
        return self.desired.spec

    @cached_property
    def record(self) -> Record:
        """The cluster's record, or what the claims say before there is one. Sizes and zones are the
        fleet's of now; labels are those that the record has.
        """
        servers, claims = self.fleet.servers, self.pool.claims
        claimed = {n: Member.of(servers[n], claim.role, claim.group) for n, claim in claims.items()}
        record = self.pool.record or Record(self.desired.uid, "", 0, 0, None, None, claimed)
        members = {
            name: replace(Member.of(servers[name], member.role, member.group), labels=member.labels)
            if name in servers
            else member
            for name, member in record.members.items()
        }
        return replace(record, members=members)

    @cached_property
    def members(self) -> Membership:
        return Membership(self.record, self.pool, self.fleet, self.desired.given_up)

    @property
    def epoch(self) -> int:
        """The epoch of new claims. An operation has one epoch, however often it plans."""
        begun = self.record.change == self.operation.change
        return self.record.generation + (not begun)

    def concerns(self, name: ServerName) -> bool:
        """Whether the operation may touch `name`. An operation about one server touches no other;
        one about the cluster touches no server that an rpool_node put there.
        """
        if self.desired.one is not None:
            return name == self.desired.one
        return name not in self.record.pinned

    def labels(self, name: ServerName) -> bool:
        """Whether the operation labels the Node of `name`. One about a single server leaves the
        labels of all others alone.
        """
        return self.desired.one in (None, name)

    def member(self, name: ServerName) -> Member:
        """A desired server as the record is to have it: by the fleet, or as before."""
        if name not in self.fleet.servers:
            return self.record.members[name]
        role, group = self.desired.roles[name], self.desired.group(name)
        return Member.of(self.fleet.servers[name], role, group)

    def node(self, name: ServerName) -> NodeSpec:
        """The labels and taints that the Node of a desired server is to have."""
        return node_spec(self.member(name), self.spec, self.desired.pinned.get(name))

    # -- through which control plane -------------------------------------------------------------

    @cached_property
    def through(self) -> ServerName:
        """The control plane that others join through: the one that serves, else one that has
        joined, else the one that becomes the first.
        """
        if self.pool.api is not None:
            return self.pool.api.through
        control_planes = self.desired.of(Role.CONTROL_PLANE)
        return min(control_planes, key=lambda name: not self.pool.has_joined(name))

    @cached_property
    def then_through(self) -> ServerName:
        """The control plane that is used once all have joined; `through` itself may leave."""
        out = self.leaving_to_come_again
        if self.through in self.desired.roles and self.through not in out:
            return self.through
        staying = [
            name
            for name in self.desired.of(Role.CONTROL_PLANE)
            if self.members.part(name) is Part.MEMBER and name not in out
        ]
        if not [*staying, *self.coming_control_planes]:
            whys = self.in_the_way.values()
            reasons = "\n".join(f"{error.summary}. {error.detail}" for error in whys)
            raise Unreachable(
                f"all control planes of cluster {self.spec.name} are to leave, and none can take "
                "their place",
                f"Nothing was changed.\n{reasons}".rstrip(),
            )
        return [*staying, *self.coming_control_planes][0]

    @property
    def api_serves(self) -> bool:
        return self.pool.api is not None

    def kubeadm_ended(self, name: ServerName) -> bool:
        probed = self.pool.probed(name)
        return probed is not None and probed.kubeadm_ended

    def ours(self, name: ServerName) -> Ownership:
        """What the guard of an action on `name` checks: our claim, as it is or will be. Raises
        Refused where the claim is another cluster's: a guard given that claim's uid would pass.
        """
        probed = self.pool.probed(name)
        claim = probed.claim if probed else None
        if claim is not None and claim.uid != self.desired.uid:
            raise Refused(
                f"{name} is claimed by cluster {claim.pool} (uid {claim.uid}), not by "
                f"{self.desired.uid}",
                "Nothing was done there.",
            )
        return claim.ownership if claim else Ownership(self.desired.uid, self.epoch)

    # -- which servers join and leave ------------------------------------------------------------

    @cached_property
    def in_the_way(self) -> dict[ServerName, RpoolError]:
        """Desired servers that cannot join, and why. While there are any, no living one leaves."""
        pinned = self.desired.one is not None
        stay = set(self.desired.of(Role.CONTROL_PLANE))
        whys = {
            name: why_not(name, self.members, self.spec, pinned=pinned)
            or self._why_etcd(name, stay)
            for name in self._wanted
        }
        kept = self._kept([name for name, why in whys.items() if why is not None])
        whys = {name: why or self._why_etcd(name, stay | kept) for name, why in whys.items()}
        return {name: why for name, why in whys.items() if why is not None}

    @cached_property
    def kept(self) -> frozenset[ServerName]:
        """Members that are given up, but stay since the servers to replace them cannot join."""
        return self._kept(self.in_the_way)

    def _kept(self, in_the_way: Iterable[ServerName]) -> frozenset[ServerName]:
        """Given-up members of a role in which an unclaimed server is kept from joining."""
        part, known = self.members.part, self.record.members
        unclaimed = [n for n in in_the_way if n not in known or part(n) is Part.GONE]
        roles = {self.desired.roles[name] for name in unclaimed}
        return frozenset(n for n in self.desired.given_up if self.role_now(n) in roles)

    @cached_property
    def coming(self) -> tuple[ServerName, ...]:
        """Servers that join, in the order in which they are desired."""
        return tuple(name for name in self._wanted if name not in self.in_the_way)

    @cached_property
    def coming_control_planes(self) -> list[ServerName]:
        return [n for n in self.coming if self.desired.roles[n] is Role.CONTROL_PLANE]

    @cached_property
    def _wanted(self) -> list[ServerName]:
        """Desired servers with anything to do, without those that must leave first to rejoin."""
        names = [name for name in self.desired.roles if name not in self.leaving_to_come_again]
        return [name for name in names if self.concerns(name) and self._comes(name)]

    def _why_etcd(self, name: ServerName, stay: Set[ServerName]) -> RpoolError | None:
        """Why etcd keeps `name` out: kubeadm joins no control plane while an etcd member that is to
        `stay` is dead.
        """
        if name not in self.desired.of(Role.CONTROL_PLANE) or self.pool.has_joined(name):
            return None
        silent = [n for n in stay if n in self.pool.silent and n != name]
        members = {n: self.members.etcd_member(n) for n in silent}
        dead = sorted(
            n for n, member in members.items() if member is not None and not member.healthy
        )
        if not dead:
            return None
        names, do = ", ".join(dead), "does" if len(dead) == 1 else "do"
        return Unreachable(
            f"{name} is to join, but {names} {do} not answer, so etcd accepts no new member",
            f"{self.pool.silent[dead[0]].summary}. {Do.BRING_BACK.text(servers=names)}",
        )

    def _comes(self, name: ServerName) -> bool:
        """Whether anything may be left to do until `name` is a member."""
        part = self.members.part(name)
        if part in (Part.SILENT, Part.LOST):
            return name not in self.record.members or not self.members.had_joined(name)
        return part is not Part.MEMBER

    @cached_property
    def going(self) -> tuple[ServerName, ...]:
        """Servers that leave, workers first: they take the most time."""
        leaving = (self.record.members.keys() | self.members.strays) - self.desired.roles.keys()
        leaving |= self.leaving_to_come_again
        names = [n for n in leaving if self.concerns(n) and self.members.part(n) is not Part.GONE]
        return tuple(sorted(names, key=lambda n: (self.role_now(n) is Role.CONTROL_PLANE, n)))

    @cached_property
    def leaving_to_come_again(self) -> frozenset[ServerName]:
        """Members that leave the cluster and then join it anew. One control plane at a time: one
        that is on its way does not count for the quorum.
        """
        anew = self.desired.anew & self.desired.roles.keys()
        leaving = self.members.among(anew, Part.LEAVING)
        still_in = sorted(self.members.among(anew, Part.MEMBER))
        planes = [name for name in still_in if self.role_now(name) is Role.CONTROL_PLANE]
        under_way = any(self.role_now(name) is Role.CONTROL_PLANE for name in leaving)
        return (leaving | set(still_in)) - set(planes if under_way else planes[1:])

    @cached_property
    def going_control_planes(self) -> list[ServerName]:
        return [name for name in self.going if self.role_now(name) is Role.CONTROL_PLANE]

    def role_now(self, name: ServerName) -> Role:
        """The role by the record, or else by the server's claim or Node."""
        if (member := self.record.members.get(name)) is not None:
            return member.role
        if (claim := self.pool.claim(name)) is not None:
            return claim.role
        node = self.pool.nodes.get(name)
        return Role.CONTROL_PLANE if node and node.control_plane else Role.WORKER

    @cached_property
    def gone(self) -> frozenset[ServerName]:
        """Members that are no longer the cluster's: wiped or claimed by another, without a Node."""
        own = {name for name in self.record.members if self.concerns(name)}
        return self.members.among(own, Part.GONE) - set(self.coming)

    def check_preflight(self) -> None:
        """Raises Refused with all findings among the servers that join and the one that serves."""
        sightings = {
            n: self.pool.seen[n] for n in (self.through, *self.coming) if n in self.pool.seen
        }
        if problems := findings(self.spec, sightings, members=self.pool.claims):
            listed = "\n".join(f"  {problem}." for problem in problems)
            raise Refused(
                f"cluster {self.spec.name} cannot take the servers that were planned",
                f"Nothing was changed. What is in the way:\n{listed}",
            )
