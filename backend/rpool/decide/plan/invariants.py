"""What holds for every plan, whatever its rungs return; checked before it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from rpool.decide.plan.case import Case
from rpool.decide.quorum import member_of, why_not_remove
from rpool.errors import Bug
from rpool.model.action import (
    AwaitReady,
    Drain,
    Init,
    Join,
    Prepare,
    RemoveEtcdMember,
    Reset,
    StepDown,
    TakeClaim,
)
from rpool.model.seen import EtcdMember
from rpool.model.step import Step, StepName


def check(steps: Sequence[Step], case: Case) -> None:
    """Raises Bug if a server is prepared or joins before its claim, a living member may leave too
    early, two control planes may move at once, or etcd would lose its quorum.
    """
    names = [step.name for step in steps]
    if len(set(names)) < len(names):
        raise Bug(f"a plan with two steps of one name: {sorted(names)}")
    before = _all_before(steps, lambda step: step.needs | step.after)  # over by then, well or not
    done = _all_before(steps, lambda step: step.needs)  # done by then
    claims = {step.server: step.name for step in steps if isinstance(step.action, TakeClaim)}
    arrivals = {step.name for step in steps if isinstance(step.action, Join | AwaitReady)}
    for step in steps:
        claim = claims.get(step.server)
        if isinstance(step.action, Prepare | Init | Join) and claim not in {None, *done[step.name]}:
            raise Bug(f"{step.name} would not wait for {claim}")
        if _ends_a_living_member(step, case) and not arrivals <= done[step.name]:
            raise Bug(f"{step.name} would not wait for those that join")
    moves = [step for step in steps if _moves_a_control_plane(step)]
    for one, other in pairwise(moves):
        if one.name not in before[other.name] and other.name not in before[one.name]:
            raise Bug(f"{one.name} and {other.name} would move two control planes at once")
    _check_quorum(moves, case)


def _check_quorum(moves: Sequence[Step], case: Case) -> None:
    """Raises Bug if etcd, as far as its members are known, would lose its quorum."""
    members = list(case.pool.etcd or ())
    for step in moves:
        if isinstance(step.action, Join) and not member_of(members, step.server, ""):
            members.append(EtcdMember(step.name, step.server, votes=True, healthy=True))
        if isinstance(step.action, RemoveEtcdMember):
            leaving = member_of(members, step.action.member, step.action.address)
            if leaving and (why := why_not_remove(members, leaving)):
                raise Bug(f"{step.name} would cost etcd its quorum: {why}")
            members = [member for member in members if member is not leaving]


def _all_before(
    steps: Sequence[Step], direct: Callable[[Step], frozenset[StepName]]
) -> dict[StepName, frozenset[StepName]]:
    """All steps before each step; `direct` gives those directly before one. Raises Bug if a step
    waits for a later one.
    """
    before: dict[StepName, frozenset[StepName]] = {}
    for step in steps:
        if missing := direct(step) - before.keys():
            raise Bug(f"{step.name} waits for {', '.join(sorted(missing))}, which comes later")
        before[step.name] = direct(step).union(*(before[name] for name in direct(step)))
    return before


def _ends_a_living_member(step: Step, case: Case) -> bool:
    if not isinstance(step.action, Drain | StepDown | Reset):
        return False
    about = step.about
    counts_for_nothing = about in case.members.lost or (
        about is not None and case.members.is_half_in(about)
    )
    return case.api_serves and not counts_for_nothing


def _moves_a_control_plane(step: Step) -> bool:
    action = step.action
    if isinstance(action, Join):
        return action.control_plane
    return isinstance(action, StepDown | RemoveEtcdMember)
