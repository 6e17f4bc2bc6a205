"""How well a cluster's members are, and what is done about those that are not. Pure.

The same verdict serves a plan, which announces it, and the apply, which observes again and carries
it out. Nothing is decided on what was not seen: a member waits while the state of its Node or of
its etcd is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from rpool.advice import Do
from rpool.decide.membership import Membership, Part, lost_in
from rpool.errors import WrongHostKey
from rpool.model.cni import NO_CNI
from rpool.model.duration import text
from rpool.model.pool import Repair, RepairMode
from rpool.model.seen import NodeSeen
from rpool.model.server import Role, ServerName

MOST_TOLD = 8
_PINNED = "an rpool_node names it"
_WORDS = {Role.CONTROL_PLANE: "control plane", Role.WORKER: "worker"}


class Verdict(Enum):
    """What is done about a member that is not well."""

    WAIT = "wait"  # it is within its grace, or that is not known
    MEND = "mend"  # past its grace, and it answers by SSH: it is mended where it is
    LOST = "lost"  # past its grace, and silent: another server takes its place
    HELD = "held"  # past its grace, and a brake holds its repair


@dataclass(frozen=True, slots=True)
class Ailing:
    """A member that is not well; `node` is None for one that has yet to join. `silent` is why it
    does not answer by SSH, "" where it does or was not asked. `why` is what holds its repair, or
    lets it wait.
    """

    name: ServerName
    role: Role
    node: NodeSeen | None
    silent: str
    verdict: Verdict = Verdict.WAIT
    why: str = ""
    is_braked: bool = False  # too many are not well at once
    was_asked: bool = True
    is_pinned: bool = False  # an rpool_node's
    is_strange: bool = False  # what answers at its address has another host key

    @property
    def is_down(self) -> bool:
        return self.node is not None and not self.node.ready

    def __str__(self) -> str:
        """A sentence with what is known of it."""
        if self.node is None:
            state = "has not joined"
        elif self.node.ready:
            state = "its Node is Ready"
        else:
            state = "NotReady" + (f" since {self.node.since}" if self.node.since else "")
        failure = "not logged in to" if self.is_strange else "no answer by SSH"
        ssh = f"{failure} ({self.silent})" if self.silent else "answers by SSH"
        ssh = ssh if self.was_asked else "not asked by SSH"
        return f"{self.name} ({_WORDS[self.role]}): {state}, {ssh}."


@dataclass(frozen=True, slots=True)
class Repairs:
    """What a plan announces of a cluster's members: those that others replace (`lost`), those that
    are mended where they are, and what holds the repair of others (`held`). `returned` servers are
    no longer members but have the cluster's claim: they are wiped. `failed` ones answer but failed
    to join; other servers take their place if there are any.
    """

    lost: frozenset[ServerName] = frozenset()
    mend: frozenset[ServerName] = frozenset()
    held: Mapping[ServerName, str] = field(default_factory=dict)
    returned: frozenset[ServerName] = frozenset()
    failed: frozenset[ServerName] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.lost or self.mend or self.held)

    @classmethod
    def of(cls, ailing: Sequence[Ailing]) -> Repairs:
        return cls(
            frozenset(member.name for member in ailing if member.verdict is Verdict.LOST),
            frozenset(member.name for member in ailing if member.verdict is Verdict.MEND),
            {member.name: member.why for member in ailing if member.verdict is Verdict.HELD},
        )


NO_REPAIRS = Repairs()


def ailing(members: Membership) -> list[Ailing]:
    """Members that do not answer, or whose Node is not Ready, by name. Those on their way in or out
    are included only while silent, those marked lost in the fleet never. Without a CNI, and before
    the cluster is made, Nodes need not be Ready. Members of rpool_nodes, which the cluster does not
    repair, do not count towards repair.max_lost.
    """
    record, nodes, silent = members.record, members.pool.nodes, members.pool.silent
    waits = record.spec.networking.cni == NO_CNI or record.settled is None
    waits = waits and not any(node.ready for node in nodes.values())
    gone = lost_in(members.fleet) - members.pool.seen.keys()
    unwell = []
    for name, recorded in sorted(record.members.items()):
        node, why = nodes.get(name), silent.get(name)
        part = members.part(name)
        is_in = part in (Part.MEMBER, Part.UNCLAIMED) and node is not None and not node.let_go
        is_down = is_in and node is not None and not node.ready and not waits
        if name not in gone and (part is Part.SILENT or is_down):
            member = Ailing(name, recorded.role, node, why.summary if why else "")
            asked, pinned = members.pool.was_asked(name), name in record.pinned
            strange = isinstance(why, WrongHostKey)
            unwell.append(replace(member, was_asked=asked, is_pinned=pinned, is_strange=strange))
    down = sum(
        (member.is_down or member.node is None) and not member.is_pinned for member in unwell
    )
    return [_judged(member, members, down) for member in unwell]


def _judged(member: Ailing, members: Membership, down: int) -> Ailing:
    """The member with its verdict, where so many members are `down`."""
    repair = members.record.spec.repair
    if member.node is None:  # nothing of it counts yet, so it need not be waited for
        why = _PINNED if member.is_pinned else ""
        why = why or (_why_etcd(member, members) if member.role is Role.CONTROL_PLANE else "")
        member = replace(member, verdict=Verdict.HELD if why else Verdict.LOST, why=why)
        return member if why else _braked(member, down, repair)
    if member.node.ready or (seconds := _seconds_down(member, members)) is None:
        return member
    if seconds < repair.grace_seconds:
        return replace(member, why=f"repair.grace is {text(repair.grace_seconds)}")
    if why := _why_held(member, members):
        return replace(member, verdict=Verdict.HELD, why=why)
    return _braked(
        replace(member, verdict=Verdict.LOST if member.silent else Verdict.MEND), down, repair
    )


def _braked(member: Ailing, down: int, repair: Repair) -> Ailing:
    """The member, held where so many are `down` that the cause is not in single servers."""
    if down <= repair.max_lost:
        return member
    why = f"{down} members are unhealthy at once, and repair.max_lost is {repair.max_lost}"
    return replace(member, verdict=Verdict.HELD, why=why, is_braked=True)


def _seconds_down(member: Ailing, members: Membership) -> float | None:
    """How many seconds its Node has at least been not Ready, by the clock of the control plane that
    was asked; None if unknown.
    """
    clock = members.pool.api.cluster.clock_seconds if members.pool.api else 0.0
    since = member.node.since_seconds if member.node else 0.0
    return clock - since - _seconds_ahead(member.name, members) if clock and since else None


def _seconds_ahead(name: ServerName, members: Membership) -> float:
    """How many seconds that clock is at most ahead of the clocks that may have written since when
    the Node of `name` is not Ready: its kubelet's and those of control planes, one of which leads.
    Clocks that are not known are left out.
    """
    seen, through = members.pool.seen, members.pool.api.through if members.pool.api else ""
    writers = {*members.record.of(Role.CONTROL_PLANE), name} & seen.keys() - {through}
    if through not in seen:
        return 0.0
    return max((seen[through].clock.seconds_ahead_of(seen[n].clock) for n in writers), default=0.0)


def _why_held(member: Ailing, members: Membership) -> str:
    """What about the member itself holds its repair, as the end of a sentence; "" for nothing."""
    if member.is_pinned:
        return _PINNED
    if members.part(member.name) is Part.UNCLAIMED:
        return "its claim is gone"
    if member.role is Role.CONTROL_PLANE and member.silent:
        return _why_etcd(member, members)
    return ""


def _why_etcd(member: Ailing, members: Membership) -> str:
    """Why etcd holds a silent control plane's repair; "" where its etcd is silent, too."""
    if members.pool.etcd is None:
        return "etcd's members are unknown"
    voter = members.etcd_member(member.name)
    return "its etcd still answers the others" if voter and voter.healthy else ""


def told(name: str, unwell: Sequence[Ailing], repair: Repair) -> str:
    """A warning about members that are not well; its first line is the summary."""
    count = "1 member is" if len(unwell) == 1 else f"{len(unwell)} members are"
    lines = [f"Cluster {name}: {count} unhealthy"]
    for member in unwell[:MOST_TOLD]:
        lines.append(" ".join(filter(None, [str(member), _what_is_done(member, repair)])))
    if len(unwell) > MOST_TOLD:
        lines.append(f"And {len(unwell) - MOST_TOLD} more.")
    return "\n".join([*lines, advised(unwell, lambda own, names: _advice(own, repair, names))])


def advised(unwell: Sequence[Ailing], own: Callable[[Sequence[Ailing], str], str]) -> str:
    """What to do about members: for the cluster's own, what `own` says of them and their names; for
    those of rpool_nodes, and those that something else may pose as, `mending`.
    """
    apart = [member for member in unwell if member.is_pinned or member.is_strange]
    others = [member for member in unwell if member not in apart]
    advice = [own(others, _names(others))] if others else []
    return " ".join([*advice, *mending(apart)])


def mending(unwell: Sequence[Ailing]) -> Iterator[str]:
    """How a person brings members back, by what is wrong with them."""
    strange = [member for member in unwell if member.is_strange]
    sick = [member for member in unwell if member.was_asked and not member.silent]
    silent = [member for member in unwell if member not in strange and member not in sick]
    if own := [member for member in silent if not member.is_pinned]:
        yield Do.MEND_MEMBERS.text(servers=_names(own))
    if nodes := [member for member in silent if member.is_pinned]:
        yield Do.MEND_NODES.text(servers=_names(nodes))
    if sick:
        yield Do.RESTART_KUBELET.text(servers=_names(sick))
    if strange:
        yield Do.NEW_HOST_KEY.text(servers=_names(strange))


def _names(members: Sequence[Ailing]) -> str:
    return ", ".join(member.name for member in members[:MOST_TOLD])


def _advice(unwell: Sequence[Ailing], repair: Repair, names: str) -> str:
    if any(member.is_braked for member in unwell):
        return Do.LIFT_BRAKE.text(servers=names)
    repaired = any(member.verdict in (Verdict.LOST, Verdict.MEND) for member in unwell)
    if repaired and repair.mode is RepairMode.PLAN:
        return Do.REPAIR.text(servers=names)
    return " ".join(mending(unwell))


def _what_is_done(member: Ailing, repair: Repair) -> str:
    if member.verdict is Verdict.WAIT:
        return f"Nothing is done about it yet: {member.why}." if member.why else ""
    if repair.mode is RepairMode.WARN:
        return "Nothing is done about it: repair.mode is warn."
    if member.verdict is Verdict.HELD:
        return f"Nothing is done about it: {member.why}."
    if member.verdict is Verdict.LOST:
        return (
            "It counts as lost: another server takes its place, if there is one. Make sure that it "
            "is off: otherwise its pods keep running beside their replacements."
        )
    return (
        "This plan repairs it: its container runtime and kubelet are restarted, and if that does "
        "not help, it is drained and reset, and joins again."
    )
