"""How a cluster's members are, by what was observed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rpool.advice import Do
from rpool.decide.membership import Membership, Part
from rpool.model.cni import NO_CNI
from rpool.model.seen import NodeSeen
from rpool.model.server import Role, ServerName

MOST_TOLD = 8
_WORDS = {Role.CONTROL_PLANE: "control plane", Role.WORKER: "worker"}


@dataclass(frozen=True, slots=True)
class Ailing:
    """A member that is not as it should be. `silent` is why it does not answer by SSH, "" where it
    does, or was not asked.
    """

    name: ServerName
    role: Role
    node: NodeSeen
    silent: str

    def __str__(self) -> str:
        """What is known of it, in a sentence."""
        if self.node.ready:
            said = "its Node is Ready"
        else:
            said = "NotReady" + (f" since {self.node.since}" if self.node.since else "")
        ssh = f"no answer by SSH ({self.silent})" if self.silent else "answers by SSH"
        return f"{self.name} ({_WORDS[self.role]}): {said}, {ssh}."


def ailing(members: Membership) -> list[Ailing]:
    """Members that do not answer, or whose Node is not Ready, by name. Those on their way in or out
    are not among them, nor those that the fleet says are lost, nor anybody of a cluster that is not
    made yet. Without a CNI no Node is Ready.
    """
    record, nodes, silent = members.record, members.pool.nodes, members.pool.silent
    if record.settled is None:
        return []
    waits = record.spec.networking.cni == NO_CNI
    waits = waits and not any(node.ready for node in nodes.values())
    found = []
    for name, member in sorted(record.members.items()):
        node, why = nodes.get(name), silent.get(name)
        is_in = members.part(name) in (Part.MEMBER, Part.UNCLAIMED, Part.SILENT)
        if not is_in or node is None or node.let_go:
            continue
        is_down = not node.ready and not waits
        if why is not None or is_down:
            found.append(Ailing(name, member.role, node, why.summary if why else ""))
    return found


def told(name: str, found: Sequence[Ailing]) -> str:
    """A warning: its first line is the summary."""
    count = "1 member is" if len(found) == 1 else f"{len(found)} members are"
    lines = [f"Cluster {name}: {count} not well", *map(str, found[:MOST_TOLD])]
    if len(found) > MOST_TOLD:
        lines.append(f"And {len(found) - MOST_TOLD} more.")
    names = ", ".join(its.name for its in found[:MOST_TOLD])
    return "\n".join([*lines, Do.MEND_MEMBERS.text(servers=names)])
