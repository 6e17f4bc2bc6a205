"""How a cluster's members are, and what is to become of those that are not well. Pure.

The same verdict serves a plan, which announces it, and the apply that carries it out after another
look. Nothing is decided that was not seen: a member whose Node's state nobody told, or of whose
etcd nothing is known, waits.
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
_PINNED = "it is an rpool_node's, which names it"
_WORDS = {Role.CONTROL_PLANE: "control plane", Role.WORKER: "worker"}


class Verdict(Enum):
    """What is to become of a member that is not well."""

    WAIT = "wait"  # it is within its grace, or nobody can tell
    MEND = "mend"  # past its grace, and it answers by SSH: it is mended where it is
    LOST = "lost"  # past its grace, and silent: another server takes its place
    HELD = "held"  # past its grace, and a brake holds its repair


@dataclass(frozen=True, slots=True)
class Ailing:
    """A member that is not as it should be; `node` is None for one that has yet to join. `silent`
    is why it does not answer by SSH, "" where it does, or was not asked; `why` is what holds its
    repair, or lets it wait.
    """

    name: ServerName
    role: Role
    node: NodeSeen | None
    silent: str
    verdict: Verdict = Verdict.WAIT
    why: str = ""
    is_braked: bool = False  # since too many are not well at once
    was_asked: bool = True
    is_pinned: bool = False  # an rpool_node's
    is_strange: bool = False  # what answers at its address has another host key

    @property
    def is_down(self) -> bool:
        return self.node is not None and not self.node.ready

    def __str__(self) -> str:
        """What is known of it, in a sentence."""
        if self.node is None:
            said = "has not joined"
        elif self.node.ready:
            said = "its Node is Ready"
        else:
            said = "NotReady" + (f" since {self.node.since}" if self.node.since else "")
        no = "not logged in to" if self.is_strange else "no answer by SSH"
        ssh = f"{no} ({self.silent})" if self.silent else "answers by SSH"
        ssh = ssh if self.was_asked else "not asked by SSH"
        return f"{self.name} ({_WORDS[self.role]}): {said}, {ssh}."


@dataclass(frozen=True, slots=True)
class Repairs:
    """What a plan announces of a cluster's members: those that others replace, those that are
    mended where they are, and those whose repair a brake holds, and which. Those that `returned`
    are no members any more, and have its claim: they are wiped. Those that `failed` to join answer,
    and others take their place if there are any.
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
            frozenset(its.name for its in ailing if its.verdict is Verdict.LOST),
            frozenset(its.name for its in ailing if its.verdict is Verdict.MEND),
            {its.name: its.why for its in ailing if its.verdict is Verdict.HELD},
        )


NO_REPAIRS = Repairs()


def ailing(members: Membership) -> list[Ailing]:
    """Members that do not answer, or whose Node is not Ready, by name. Those on their way in or out
    are among them only while they are silent; those that the fleet says are lost never. Without a
    CNI, and in a cluster that is not made yet, none may be Ready. Those of rpool_nodes, which the
    cluster does not repair, are not counted where it is about how many it does.
    """
    record, nodes, silent = members.record, members.pool.nodes, members.pool.silent
    waits = record.spec.networking.cni == NO_CNI or record.settled is None
    waits = waits and not any(node.ready for node in nodes.values())
    gone = lost_in(members.fleet) - members.pool.seen.keys()
    found = []
    for name, member in sorted(record.members.items()):
        node, why = nodes.get(name), silent.get(name)
        part = members.part(name)
        is_in = part in (Part.MEMBER, Part.UNCLAIMED) and node is not None and not node.let_go
        is_down = is_in and node is not None and not node.ready and not waits
        if name not in gone and (part is Part.SILENT or is_down):
            its = Ailing(name, member.role, node, why.summary if why else "")
            asked, pinned = members.pool.was_asked(name), name in record.pinned
            strange = isinstance(why, WrongHostKey)
            found.append(replace(its, was_asked=asked, is_pinned=pinned, is_strange=strange))
    down = sum((its.is_down or its.node is None) and not its.is_pinned for its in found)
    return [_judged(its, members, down) for its in found]


def _judged(its: Ailing, members: Membership, down: int) -> Ailing:
    """With what is to become of it, where so many members are `down`."""
    repair = members.record.spec.repair
    if its.node is None:  # nothing of it counts yet, so that nobody has to wait
        why = _PINNED if its.is_pinned else ""
        why = why or (_why_etcd(its, members) if its.role is Role.CONTROL_PLANE else "")
        its = replace(its, verdict=Verdict.HELD if why else Verdict.LOST, why=why)
        return its if why else _braked(its, down, repair)
    if its.node.ready or (seconds := _seconds_down(its, members)) is None:
        return its
    if seconds < repair.grace_seconds:
        return replace(its, why=f"repair.grace is {text(repair.grace_seconds)}")
    if why := _why_held(its, members):
        return replace(its, verdict=Verdict.HELD, why=why)
    return _braked(replace(its, verdict=Verdict.LOST if its.silent else Verdict.MEND), down, repair)


def _braked(its: Ailing, down: int, repair: Repair) -> Ailing:
    """Held where so many are `down` that no server is what ails them."""
    if down <= repair.max_lost:
        return its
    why = f"{down} members are not well at once, and repair.max_lost is {repair.max_lost}"
    return replace(its, verdict=Verdict.HELD, why=why, is_braked=True)


def _seconds_down(its: Ailing, members: Membership) -> float | None:
    """How long its Node has not been Ready at least, by the clock of the control plane that was
    asked; None where nobody told.
    """
    clock = members.pool.api.cluster.clock_seconds if members.pool.api else 0.0
    since = its.node.since_seconds if its.node else 0.0
    return clock - since - _seconds_ahead(its.name, members) if clock and since else None


def _seconds_ahead(name: ServerName, members: Membership) -> float:
    """How far that clock is ahead, at most, of those by which it may have been written since when
    the Node of `name` is not Ready: the control planes', of which one leads, and its kubelet's. As
    far as that is known.
    """
    seen, through = members.pool.seen, members.pool.api.through if members.pool.api else ""
    writers = {*members.record.of(Role.CONTROL_PLANE), name} & seen.keys() - {through}
    if through not in seen:
        return 0.0
    return max((seen[through].clock.seconds_ahead_of(seen[n].clock) for n in writers), default=0.0)


def _why_held(its: Ailing, members: Membership) -> str:
    """What about itself holds its repair, the end of a sentence about it; "" where nothing does."""
    if its.is_pinned:
        return _PINNED
    if members.part(its.name) is Part.UNCLAIMED:
        return "its claim is gone"
    if its.role is Role.CONTROL_PLANE and its.silent:
        return _why_etcd(its, members)
    return ""


def _why_etcd(its: Ailing, members: Membership) -> str:
    """A control plane that is silent is lost only if its etcd is, too."""
    if members.pool.etcd is None:
        return "nothing could be told of etcd's members"
    member = members.etcd_member(its.name)
    return "its etcd still answers the others" if member and member.healthy else ""


def told(name: str, found: Sequence[Ailing], repair: Repair) -> str:
    """A warning: its first line is the summary."""
    count = "1 member is" if len(found) == 1 else f"{len(found)} members are"
    lines = [f"Cluster {name}: {count} not well"]
    for its in found[:MOST_TOLD]:
        lines.append(" ".join(filter(None, [str(its), _what_comes(its, repair)])))
    if len(found) > MOST_TOLD:
        lines.append(f"And {len(found) - MOST_TOLD} more.")
    return "\n".join([*lines, advised(found, lambda own, names: _advice(own, repair, names))])


def advised(found: Sequence[Ailing], own: Callable[[Sequence[Ailing], str], str]) -> str:
    """What to do about members: about the cluster's own as `own` says (of them, and their names),
    and about those of rpool_nodes, and those that something else may pose as.
    """
    apart = [its for its in found if its.is_pinned or its.is_strange]
    others = [its for its in found if its not in apart]
    said = [own(others, _names(others))] if others else []
    return " ".join([*said, *mending(apart)])


def mending(found: Sequence[Ailing]) -> Iterator[str]:
    """How a person brings members back, by what ails them."""
    strange = [its for its in found if its.is_strange]
    sick = [its for its in found if its.was_asked and not its.silent]
    silent = [its for its in found if its not in strange and its not in sick]
    if own := [its for its in silent if not its.is_pinned]:
        yield Do.MEND_MEMBERS.text(servers=_names(own))
    if nodes := [its for its in silent if its.is_pinned]:
        yield Do.MEND_NODES.text(servers=_names(nodes))
    if sick:
        yield Do.RESTART_KUBELET.text(servers=_names(sick))
    if strange:
        yield Do.NEW_HOST_KEY.text(servers=_names(strange))


def _names(found: Sequence[Ailing]) -> str:
    return ", ".join(its.name for its in found[:MOST_TOLD])


def _advice(found: Sequence[Ailing], repair: Repair, names: str) -> str:
    if any(its.is_braked for its in found):
        return Do.LIFT_BRAKE.text(servers=names)
    repaired = any(its.verdict in (Verdict.LOST, Verdict.MEND) for its in found)
    if repaired and repair.mode is RepairMode.PLAN:
        return Do.REPAIR.text(servers=names)
    return " ".join(mending(found))


def _what_comes(its: Ailing, repair: Repair) -> str:
    if its.verdict is Verdict.WAIT:
        return f"Nothing is done about it yet: {its.why}." if its.why else ""
    if repair.mode is RepairMode.WARN:
        return "Nothing is done about it: repair.mode is warn."
    if its.verdict is Verdict.HELD:
        return f"Nothing is done about it: {its.why}."
    if its.verdict is Verdict.LOST:
        return (
            "It counts as lost: another server takes its place, if there is one. Make sure that it "
            "is off: if it runs on, its pods do, beside those that take their place."
        )
    return (
        "This plan mends it: its container runtime and kubelet are restarted, and if that does "
        "not help, it is drained, reset, and joins anew."
    )
