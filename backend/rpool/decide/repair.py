"""What an apply does about members that are not well: what was planned, and is so still. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rpool.advice import Do
from rpool.decide.health import Ailing, Repairs, Verdict, ailing
from rpool.decide.membership import Membership
from rpool.errors import Refused, RpoolError, StalePlan
from rpool.model.desired import Desired


def repairing(desired: Desired, members: Membership, planned: Repairs) -> Desired:
    """`desired` with what is to be done about members that are not well still. Raises StalePlan
    where one that others were to replace is not lost any more: nothing is done to it.
    """
    now = {its.name: its for its in ailing(members)}
    left_out = planned.lost & members.record.members.keys() - desired.roles.keys()
    going = {n for n in left_out - members.lost if not members.fleet.servers[n].retire}
    if back := sorted(n for n in going if n not in now or now[n].verdict is not Verdict.LOST):
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


def unrepaired(cluster: str, left: Sequence[Ailing]) -> RpoolError:
    """The error of an apply that has done all else. `left` are those that were to be repaired."""
    names = ", ".join(its.name for its in left)
    lines = [" ".join([str(its), _why(its)]) for its in left]
    return Refused(
        f"cluster {cluster} is degraded: nothing was done about {names}",
        "\n".join([*lines, f"All else that was planned is done. {_advice(left, names)}"]),
    )


def _why(its: Ailing) -> str:
    if its.verdict is Verdict.HELD:
        return f"Its repair is held: {its.why}."
    if its.verdict is Verdict.LOST:
        return "No server that is free can take its place."
    return "The next plan mends it."


def _advice(left: Sequence[Ailing], names: str) -> str:
    if any(its.is_braked for its in left):
        return Do.LIFT_BRAKE.text(servers=names)
    if any(its.verdict is Verdict.LOST for its in left):
        return Do.BRING_SPARES_BACK.text()
    return Do.MEND_MEMBERS.text(servers=names)
