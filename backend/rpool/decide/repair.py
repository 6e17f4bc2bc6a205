"""What an apply does about members that are not well: what was planned, and is so still. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rpool.advice import Do
from rpool.decide.health import Ailing, Repairs, Verdict, advised, ailing, mending
from rpool.decide.membership import Membership
from rpool.errors import Refused, RpoolError, StalePlan
from rpool.model.desired import Desired


def repairing(desired: Desired, members: Membership, planned: Repairs) -> Desired:
    """`desired` with what is to be done about members that are not well still. Raises StalePlan
    where one that others were to replace is not lost any more: nothing is done to it.
    """
    now = {its.name: its for its in ailing(members)}
    left_out = planned.lost & members.record.members.keys() - desired.roles.keys() - members.lost
    going = {n for n in left_out if n in now and now[n].verdict is Verdict.LOST}
    # Who retires leaves even so, as one that is well does.
    if back := sorted(n for n in left_out - going if not members.fleet.servers[n].retire):
        said = [_now(now[name]) if name in now else f"{name} is well again." for name in back]
        raise StalePlan(
            f"{', '.join(back)} counted as lost when this was planned, and does not now",
            f"Nothing was changed. {' '.join(said)} {Do.PLAN_AGAIN.text()}",
        )
    mend = planned.mend & desired.roles.keys() & now.keys()
    mend = frozenset(name for name in mend if now[name].verdict is Verdict.MEND)
    return replace(desired, given_up=frozenset(going), mend=mend)


def _now(its: Ailing) -> str:
    return f"{its} Its repair is held: {its.why}." if its.verdict is Verdict.HELD else str(its)


def unrepaired(cluster: str, left: Sequence[Ailing], planned: Repairs) -> RpoolError:
    """The error of an apply that has done all else. `left` are those that were to be repaired."""
    names = ", ".join(its.name for its in left)
    lines = [" ".join([str(its), _why(its, planned)]) for its in left]
    advice = advised(left, lambda own, theirs: _advice(own, theirs, planned))
    return Refused(
        f"cluster {cluster} is degraded: nothing was done about {names}",
        "\n".join([*lines, f"All else that was planned is done. {advice}"]),
    )


def _why(its: Ailing, planned: Repairs) -> str:
    if its.verdict is Verdict.HELD:
        return f"Its repair is held: {its.why}."
    if its.verdict is Verdict.MEND:
        return "The next plan mends it."
    if its.name in planned.lost:
        return "No server that is free can take its place."
    return "It did not count as lost when this was planned: the next plan replaces it."


def _advice(left: Sequence[Ailing], names: str, planned: Repairs) -> str:
    if any(its.is_braked for its in left):
        return Do.LIFT_BRAKE.text(servers=names)
    if lost := {its.name for its in left if its.verdict is Verdict.LOST}:
        return Do.BRING_SPARES_BACK.text() if lost <= planned.lost else Do.PLAN_AGAIN.text()
    return " ".join(mending(left))
