"""Which control plane a cluster is observed through, and how many are asked for that."""

from __future__ import annotations

import threading
from typing import cast

import pytest
from worlds.stage import SPEC

from rpool.errors import RpoolError, Unreachable
from rpool.flow import look
from rpool.model.record import Record
from rpool.model.seen import ClusterSeen, EtcdMember
from rpool.model.world import World

OURS, OTHERS = "0863513a9c41d07e", "ffffffff"
DEAD = Unreachable("no answer")


def cluster(uid: str | None) -> ClusterSeen:
    record = Record(uid, "", 1, 0, SPEC, None, {}) if uid else None
    return ClusterSeen({}, record, "a certificate")


class Heads:
    """Control planes a, b, c, ... and what each answers; a silent one fails in the end."""

    def __init__(self, *answers: ClusterSeen | RpoolError | None) -> None:
        self._answers = dict(zip("abcde", answers, strict=False))
        self.asked: list[str] = []
        self.over = threading.Event()

    def observe(self, through: str) -> ClusterSeen:
        self.asked.append(through)
        answer = self._answers[through]
        if answer is None:
            self.over.wait(20)
            raise DEAD
        if isinstance(answer, RpoolError):
            raise answer
        return answer

    def etcd_members(self, through: str) -> tuple[EtcdMember, ...]:
        raise DEAD

    def serving(self) -> str | None:
        try:
            api, _ = look.reach_api(cast("World", self), OURS, self._answers)
        finally:
            self.over.set()
        return api.through if api else None


def test_of_a_healthy_pool_one_control_plane_is_asked() -> None:
    control_planes = Heads(*[cluster(OURS)] * 3)
    assert (control_planes.serving(), control_planes.asked) == ("a", ["a"])


@pytest.mark.parametrize("first", [DEAD, cluster(OTHERS), cluster(None)])
def test_the_others_are_asked_when_the_first_does_not_show_the_pool(
    first: ClusterSeen | RpoolError,
) -> None:
    control_planes = Heads(first, cluster(OURS))
    assert control_planes.serving() == "b"


def test_a_silent_one_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "API_PATIENCE_SECONDS", 0.01)
    control_planes = Heads(None, None, cluster(OURS))
    assert control_planes.serving() == "c"


def test_one_without_a_record_will_do_when_no_other_shows_the_pool() -> None:
    control_planes = Heads(DEAD, cluster(OTHERS), cluster(None), cluster(None))
    assert (control_planes.serving(), sorted(control_planes.asked)) == ("c", ["a", "b", "c", "d"])


def test_there_may_be_none() -> None:
    assert Heads(DEAD, cluster(OTHERS)).serving() is None
    assert Heads().serving() is None
