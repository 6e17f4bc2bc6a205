"""Threads that ask at about the same time get their turns in the order of their names."""

from __future__ import annotations

import threading

import pytest

from rpool.flow.turns import Turns

NAMES = ["d", "a", "e", "c", "b"]


def test_those_that_come_together_go_by_name_and_one_at_a_time() -> None:
    turns, went, inside = Turns(), list[str](), list[str]()
    all_there = threading.Barrier(len(NAMES))

    def go(name: str) -> None:
        all_there.wait()
        with turns.turn(name, 0.3):
            inside.append(name)
            assert inside == [name]
            went.append(name)
            inside.remove(name)

    threads = [threading.Thread(target=go, args=[name]) for name in NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert went == sorted(NAMES)


def test_two_of_one_name_go_one_after_the_other() -> None:
    turns, went = Turns(), list[int]()

    def go(number: int) -> None:
        with turns.turn("same", 0.05):
            went.append(number)

    threads = [threading.Thread(target=go, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(went) == [0, 1, 2]


def test_one_that_fails_is_in_nobodys_way() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="no"), turns.turn("a", 0.0):
        raise ValueError("no")
    with turns.turn("b", 0.0):
        pass
