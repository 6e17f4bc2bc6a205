"""No member leaves etcd before it was shown that the rest keeps its quorum."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rpool.advice import Do
from rpool.decide import quorum
from rpool.errors import Refused
from rpool.model import action as act
from rpool.model.server import ServerName
from rpool.model.world import World


def proven(
    world: World, action: act.RemoveEtcdMember, to_join: Collection[ServerName]
) -> act.RemoveEtcdMember | None:
    """The removal, with the id that the member has in etcd; None if it is out already. Raises
    Refused where the rest would lose its quorum, or where the member answers though a server of
    that name has yet to join (`to_join`).
    """
    members = world.etcd_members(action.server)
    leaving = quorum.member_of(members, action.member, action.address)
    if leaving is None:
        return None
    if leaving.healthy and action.member in to_join:
        raise Refused(
            f"{action.member} is to join, but etcd has a member of that name that answers",
            "Another machine runs under that name. "
            f"{Do.CORRECT_ADDRESS.text(server=action.member)}",
        )
    if why := quorum.why_not_remove(members, leaving):
        raise quorum.not_removed(action.member, why, members)
    return replace(action, member_id=leaving.id)
