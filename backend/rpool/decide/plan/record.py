"""Rung: the record. It says what is wanted before any step, and what is settled after the last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rpool.decide.membership import Membership, Part
from rpool.decide.plan.case import Case
from rpool.model.action import WriteRecord
from rpool.model.pool import NodeSpec
from rpool.model.record import Member, Record
from rpool.model.server import ServerName
from rpool.model.step import Step, StepName


def begin(case: Case, *, needs: Iterable[StepName] = ()) -> list[Step]:
    """The step that writes what is under way into the record, unless it is there already."""
    record = begun(case)
    if record == case.record:
        return []
    action = WriteRecord(case.through, case.ours(case.through), record, case.record.change)
    return [Step(action, needs=frozenset(needs), verb="record applying")]


def settle(case: Case, needs: Iterable[StepName], *, begun: bool) -> list[Step]:
    """The step that writes the settled record once all else is done, unless it is there already."""
    record, current = ended(case), case.pool.record
    if not begun and current is not None and record == _written(case, current):
        return []
    through, over = case.then_through, case.record.change
    write = WriteRecord(through, case.ours(through), record, over)
    return [Step(write, needs=frozenset(needs), verb="record settled")]


def begun(case: Case) -> Record:
    """The record of what is under way. It names every server that may be claimed meanwhile. An
    operation about one server leaves `wanted` as it is. A given-up server is a member until the
    end, so that it still is one if the operation fails.
    """
    record, desired = case.record, case.desired
    arriving = {name: case.member(name) for name in case.coming}
    out = case.gone - desired.given_up
    kept = {
        name: _relabelled(case, name, member)
        for name, member in record.members.items()
        if name not in out
    }
    wanted = record.wanted if desired.one else record.spec if desired.is_nobody else desired.spec
    both = desired.pinned.keys() & record.pinned
    labelled = {name: record.pinned[name].beside(desired.pinned[name]) for name in both}
    members = kept | arriving
    return replace(
        _written(case, record),
        wanted=wanted,
        members=members,
        pinned=_pinned_of({**desired.pinned, **record.pinned, **labelled}, members),
        let_go=_let_go(case, record, members),
    )


def ended(case: Case) -> Record:
    """The record once every step is done."""
    record, desired = begun(case), case.desired
    going = set(case.going) - case.leaving_to_come_again | desired.given_up
    members = {
        name: case.member(name) if name in desired.roles and case.labels(name) else member
        for name, member in record.members.items()
        if name not in going
    }
    return replace(
        record,
        settled=record.settled if desired.one else desired.spec,
        wanted=record.wanted if desired.one else None,
        members=members,
        pinned=_pinned_of(desired.pinned, members),
        let_go=_let_go(case, record, members) - (case.pool.seen.keys() & case.going),
    )


def _let_go(
    case: Case, before: Record, members: Mapping[ServerName, Member]
) -> frozenset[ServerName]:
    """Servers let go earlier, and those that are no longer members, until they are seen without a
    claim of ours. Nothing else would retry a failed reset of one that is back, and a server whose
    entry is gone from the fleet may be put back.
    """
    out = before.let_go | before.members.keys() - members.keys()
    clean = case.pool.seen.keys() - case.pool.claims.keys()
    return frozenset(out - members.keys() - clean)


def _relabelled(case: Case, name: ServerName, member: Member) -> Member:
    """The member, with all labels that its Node may have meanwhile."""
    if name not in case.desired.roles or not case.labels(name):
        return member
    return replace(member, labels={**member.labels, **case.member(name).labels})


def _written(case: Case, record: Record) -> Record:
    operation = case.operation
    return replace(
        record,
        uid=case.desired.uid,
        change=operation.change,
        session=operation.session,
        generation=case.epoch,
    )


def _pinned_of(
    pinned: Mapping[ServerName, NodeSpec], members: Mapping[ServerName, Member]
) -> dict[ServerName, NodeSpec]:
    return {name: spec for name, spec in pinned.items() if name in members}


def as_before(members: Membership) -> Record | None:
    """The record as it was settled before a change that came to nothing. None where what was
    observed differs from it, or is not known.
    """
    record, pool = members.record, members.pool
    if record.settled is None or record.wanted is None or pool.api is None:
        return None
    gone = members.among(record.members.keys(), Part.GONE)  # were to join, and never did
    other_metallb = record.wanted.metallb_pools != record.settled.metallb_pools
    if members.differing - gone or other_metallb or pool.open_to_joiners:
        return None
    kept = {name: member for name, member in record.members.items() if name not in gone}
    let_go = record.let_go | gone & pool.silent.keys()
    return replace(
        record, wanted=None, members=kept, pinned=_pinned_of(record.pinned, kept), let_go=let_go
    )
