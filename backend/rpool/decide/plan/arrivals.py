"""Why a server that is desired cannot join, as the error that users read."""

from __future__ import annotations

from rpool.decide.membership import Membership, Part
from rpool.decide.preflight import why_not_spare, why_too_small
from rpool.errors import Refused, RpoolError, StalePlan, Unreachable
from rpool.model.server import ServerName


class HalfOut(StalePlan):
    """A server that is desired is on its way out by a change that was cut off."""


_ANOTHER = "name another server in this rpool_node."
_LOST = "mark it lost = true in the fleet if the hardware is gone, and another one is picked."


def why_not(name: ServerName, members: Membership, *, pinned: bool) -> RpoolError | None:
    """Why `name` cannot be brought up; None when it can."""
    if name in members.pool.silent:
        why = members.pool.silent[name]
        return Unreachable(
            f"{name} is to join, but cannot be reached",
            f"{why.summary}. Bring it back and apply again; or {_ANOTHER if pinned else _LOST}",
        )
    part, probed = members.part(name), members.pool.probed(name)
    if probed is None:
        return Refused(f"{name} is to join, but was not looked at", "Plan again.")
    if part is Part.UNCLAIMED:
        return unclaimed(name, members.record.spec.name)
    if part is Part.LEAVING:
        return _half_out(name, members)
    if part is Part.GONE and members.fleet.servers[name].reserved and not pinned:
        return Refused(
            f"{name} is to join, but it is reserved in the fleet",
            "Only an rpool_node takes a reserved server. Take reserved out of its entry, or plan "
            "again: it is not picked then.",
        )
    if part is Part.GONE and (reason := why_not_spare(probed)) is not None:
        return not_to_be_had(name, f"is {reason}", pinned=pinned)
    if small := why_too_small(members.fleet.servers[name], probed):
        return Refused(f"{name} {small}", "Correct its entry in the fleet, then plan again.")
    return None


def _half_out(name: ServerName, members: Membership) -> RpoolError:
    if members.is_stray(name):
        why = "it was a member of this cluster before it was lost; it is reset first"
    elif members.is_out_of_etcd(name):
        why = "it was taken out of etcd, where it never starts again"
    else:
        why = "it is on its way out of this cluster"
    return HalfOut(
        f"{name} was to join, but {why}", "Nothing was changed. Plan again, with a refresh."
    )


def unclaimed(name: ServerName, cluster: str) -> RpoolError:
    return Refused(
        f"{name} runs in cluster {cluster}, but its claim (/var/lib/rpool/claim) is gone",
        "A server without its claim is not touched. Put the file back; or take the server out by "
        f"hand (kubectl drain {name}, kubeadm reset, kubectl delete node {name}) and apply again.",
    )


def not_to_be_had(name: ServerName, reason: str, *, pinned: bool = False) -> RpoolError:
    """The error of a planned server that is no spare any more; `reason` ends a sentence about it.
    The next plan picks another one, but not for a `pinned` one: that is a person's choice.
    """
    summary = f"{name} was to join, but {reason}"
    if pinned:
        return Refused(summary, f"Free it and apply again; or {_ANOTHER}")
    return StalePlan(
        summary,
        "Plan again: it will pick another server. What else was planned is done.",
        taken={name: reason},
    )
