"""Which members may be taken out of etcd."""

from __future__ import annotations

import pytest

from rpool.decide.quorum import majority, why_not_remove
from rpool.model.seen import EtcdMember


def members(text: str) -> list[EtcdMember]:
    """The members in `a b! c?`: a is healthy, b silent, c a learner."""
    return [
        EtcdMember(f"id{name[0]}", name[0], votes="?" not in name, healthy="!" not in name)
        for name in text.split()
    ]


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majorities(voters: int, needed: int) -> None:
    assert majority(voters) == needed


@pytest.mark.parametrize(
    ("etcd", "reason"),
    [
        ("a b c", None),
        ("a b", None),
        ("a! b c", None),  # the silent one itself goes
        ("a b! c d", None),
        ("a b c?", None),
        ("a? b", None),
        ("a", "last voting member"),
        ("a b! c", "would have no quorum: 1 of 2"),
        ("a! b! c", "has no quorum: 1 of 3"),
        ("a b! c! d e", "would have no quorum: 2 of 4"),
    ],
)
def test_a_member_goes_only_if_the_rest_keeps_its_quorum(etcd: str, reason: str | None) -> None:
    why = why_not_remove(members(etcd), members(etcd)[0])
    assert (why is None) if reason is None else (why is not None and reason in why)


def test_who_does_not_answer_is_named() -> None:
    why = why_not_remove(members("a b! c"), members("a")[0])
    assert why is not None
    assert "(b do not answer)" in why
