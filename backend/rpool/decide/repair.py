"""What an apply does about members that are not well: what was planned and still holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rpool.advice import Do
from rpool.decide.health import Ailing, Repairs, Verdict, advised, ailing, mending
from rpool.decide.membership import Membership
from rpool.errors import Refused, RpoolError, StalePlan
from rpool.model.desired import Desired


def repairing(desired: Desired, members: Membership, planned: Repairs) -> Desired:
    """`desired` with the repairs of members that are still not well. Raises StalePlan where a
    member that was to be replaced no longer counts as lost: nothing is done to it.
    """
    now = {member.name: member for member in ailing(members)}
    left_out = planned.lost & members.record.members.keys() - desired.roles.keys() - members.lost
    going = {n for n in left_out if n in now and now[n].verdict is Verdict.LOST}
    # A retiring server leaves even so, as a healthy one does.
    if back := sorted(n for n in left_out - going if not members.fleet.servers[n].retire):
        sentences = [
            _now(now[name]) if name in now else f"{name} is healthy again." for name in back
        ]
        raise StalePlan(
            f"{', '.join(back)} counted as lost when this was planned, but no longer does",
            f"Nothing was changed. {' '.join(sentences)} {Do.PLAN_AGAIN.text()}",
        )
    mend = planned.mend & desired.roles.keys() & now.keys()
    mend = frozenset(name for name in mend if now[name].verdict is Verdict.MEND)
    return replace(desired, given_up=frozenset(going), mend=mend)


def _now(member: Ailing) -> str:
    return (
        f"{member} Its repair is held: {member.why}."
        if member.verdict is Verdict.HELD
        else str(member)
    )


def unrepaired(cluster: str, unwell: Sequence[Ailing], planned: Repairs) -> RpoolError:
    """The error of an apply that has done all else but repair the members in `unwell`."""
    names = ", ".join(member.name for member in unwell)
    lines = [" ".join([str(member), _why(member, planned)]) for member in unwell]
    advice = advised(unwell, lambda own, theirs: _advice(own, theirs, planned))
    return Refused(
        f"cluster {cluster} is degraded: nothing was done about {names}",
        "\n".join([*lines, f"The rest of this plan is done. {advice}"]),
    )


def _why(member: Ailing, planned: Repairs) -> str:
    if member.verdict is Verdict.HELD:
        return f"Its repair is held: {member.why}."
    if member.verdict is Verdict.MEND:
        return "The next plan repairs it."
    if member.name in planned.lost:
        return "No free server can take its place."
    return "It did not count as lost when this was planned: the next plan replaces it."


def _advice(unwell: Sequence[Ailing], names: str, planned: Repairs) -> str:
    if any(member.is_braked for member in unwell):
        return Do.LIFT_BRAKE.text(servers=names)
    if lost := {member.name for member in unwell if member.verdict is Verdict.LOST}:
        return Do.BRING_SPARES_BACK.text() if lost <= planned.lost else Do.PLAN_AGAIN.text()
    return " ".join(mending(unwell))
