"""A server whose entry was taken out of the fleet while a cluster still has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.samples import ACTIONS, changing, named, site
from worlds.sshd import new_key

from rpool.advice import Do
from rpool.errors import RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.action import Action
from rpool.reach.world import RealWorld

CALLS: dict[str, Callable[[RealWorld], object]] = {
    "probe": lambda world: world.probe("gone"),
    "observe": lambda world: world.observe("gone"),
    "etcd_members": lambda world: world.etcd_members("gone"),
    "encryption": lambda world: world.encryption("gone"),
    "lock": lambda world: world.lock("gone", "0badcafe").__enter__(),
    "address_answers": lambda world: world.address_answers("gone", "10.0.1.200"),
    "kubernetes_packages": lambda world: world.kubernetes_packages("gone", "1.36"),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RealWorld]:
    with closing(RealWorld(site(key=new_key(tmp_path / "key").read_text()))) as world:
        yield world


def check(error: RpoolError | None) -> None:
    assert isinstance(error, Unreachable)
    assert error.summary == "gone is no longer in the fleet"
    assert error.detail == Do.PUT_ENTRY_BACK.text()
    assert not error.retryable


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_looking_at_it_says_what_to_do(
    world: RealWorld, call: Callable[[RealWorld], object]
) -> None:
    with pytest.raises(Unreachable) as caught:
        call(world)
    check(caught.value)


@pytest.mark.parametrize("action", changing(), ids=named)
def test_changing_it_says_what_to_do(world: RealWorld, action: Action) -> None:
    with pytest.raises(Unreachable) as caught:
        world.carry_out(replace(action, server="gone"), 60)
    check(caught.value)


def test_preparing_it_says_what_to_do(world: RealWorld) -> None:
    results: dict[str, RpoolError | None] = {}
    prepare = next(action for action in ACTIONS if isinstance(action, act.Prepare))
    world.prepare([replace(prepare, server="gone")], 60, results.__setitem__)
    check(results["gone"])
