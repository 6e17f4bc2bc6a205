"""The cluster's lock on several control planes: how many it takes, and when it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest
from worlds.stage import made

from rpool.errors import ForeignClaim, Overtaken, Refused, RpoolError, Unreachable
from rpool.flow.session import session
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.world import SessionLock, World

UID = "0863513a9c41d07e"


@dataclass
class Lock:
    gone: bool = False
    number: int = 0

    def lost(self) -> bool:
        return self.gone


@dataclass
class Locks:
    """Control planes that give their lock, or say why not."""

    refusing: dict[str, RpoolError] = field(default_factory=dict)
    held: dict[str, Lock] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def lock(self, server: str, uid: str) -> Iterator[SessionLock]:
        assert uid == UID
        self.asked.append(server)
        if server in self.refusing:
            raise self.refusing[server]
        self.held[server] = Lock()
        try:
            yield self.held[server]
        finally:
            del self.held[server]

    @property
    def world(self) -> World:
        return cast("World", self)


@pytest.fixture
def locks() -> Locks:
    return Locks()


def test_a_majority_will_do_and_each_is_asked_once(locks: Locks) -> None:
    locks.refusing["c"] = Unreachable("c is silent")
    with session(locks.world, UID, "abc") as lock:
        assert not lock.cover("abc")
        assert not lock.lost()
        locks.held["a"].gone = True
        assert lock.lost()
    assert sorted(locks.asked) == ["a", "b", "c"]
    assert locks.held == {}


def test_too_few_are_an_error_that_says_how_many_and_why(locks: Locks) -> None:
    locks.refusing = dict.fromkeys("bc", Unreachable("no contact"))
    with session(locks.world, UID, "a") as lock:
        with pytest.raises(Unreachable, match="1 of 3 control planes; 2 are needed") as caught:
            lock.cover("abc")
        assert "no contact" in caught.value.detail
    assert locks.held == {}


def test_who_has_it_anywhere_keeps_others_out(locks: Locks) -> None:
    locks.refusing["c"] = Refused("another operation holds it")
    with pytest.raises(Refused, match="another"), session(locks.world, UID, "abc"):
        pass
    assert locks.held == {}
    with session(locks.world, UID, "ab") as lock, pytest.raises(Refused, match="another"):
        lock.cover("abc")


def test_a_server_that_is_another_pool_s_by_now_says_nothing_about_this_one(locks: Locks) -> None:
    locks.refusing["a"] = ForeignClaim("a is claimed by cluster other")
    with session(locks.world, UID, "a") as lock:
        assert lock.cover("b")
        assert not lock.lost()


def test_all_may_be_replaced_one_by_one(locks: Locks) -> None:
    with session(locks.world, UID, "abc") as lock:
        lock.cover("abc")
        for new in "def":
            lock.add(new)
        for old in "abc":
            lock.drop(old)
            locks.held[old].gone = True
        assert not lock.lost()
        locks.held["d"].gone = locks.held["e"].gone = True
        assert lock.lost()


def test_to_let_one_go_beside_a_silent_one_loses_nothing(locks: Locks) -> None:
    locks.refusing["c"] = Unreachable("c is silent")
    with session(locks.world, UID, "abc") as lock:
        lock.cover("abc")
        lock.drop("a")
        assert not lock.lost()


def test_what_was_lost_stays_lost(locks: Locks) -> None:
    """Another operation may have held it meanwhile."""
    with session(locks.world, UID, "ab") as lock:
        lock.cover("ab")
        locks.held["b"].gone = True
        lock.drop("b")
        assert lock.lost()


def test_one_will_do_to_take_down_what_is_half_dead_or_none(locks: Locks) -> None:
    locks.refusing = dict.fromkeys("abc", Unreachable("no contact"))
    with session(locks.world, UID, "abc") as lock:
        lock.cover("abc", one_will_do=True)
        assert not lock.lost()
        lock.cover("abcd", one_will_do=True)
        locks.held["d"].gone = True
        assert lock.lost()


def test_one_more_that_cannot_be_had_is_an_error(locks: Locks) -> None:
    locks.refusing["d"] = Refused("another operation holds it")
    with session(locks.world, UID, "abc") as lock:
        lock.cover("abc")
        with pytest.raises(Refused):
            lock.add("d")
        assert not lock.lost()


def test_a_look_under_the_lock_is_a_fence() -> None:
    """No earlier session changes what was seen, from then on."""
    stage, view = made()
    through = view.control_planes[0]
    with session(stage.world, view.uid, view.control_planes) as lock:
        lock.look(view.servers)
        latest = {stage.machine(name).sessions[view.uid] for name in view.servers}
        assert latest == {lock.session}
    claim = stage.machine(through).claim
    assert claim is not None
    assert lock.session > claim.session
    with pytest.raises(Overtaken):
        stage.world.carry_out(act.SetPhase(through, claim.ownership, Phase.LEAVING), 60)
