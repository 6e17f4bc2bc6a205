"""Servers behind a real sshd for tests of scripts (see `worlds.sshd`), and what is done to them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.samples import CLAIM
from worlds.sshd import TestServer, running_sshd

from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Claim
from rpool.reach.world import RealWorld

BUDGETS = "poddisruptionbudgets"


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., TestServer]]:
    """Makes servers; what is given is added to sshd's configuration."""
    with ExitStack() as stack:
        count = itertools.count()

        def make(more: str = "") -> TestServer:
            return stack.enter_context(running_sshd(tmp_path / f"server{next(count)}", more))

        yield make


@pytest.fixture
def server(make_server: Callable[..., TestServer]) -> TestServer:
    return make_server()


@pytest.fixture
def world(server: TestServer) -> Iterator[RealWorld]:
    with closing(RealWorld(server.site())) as world:
        yield world


def claim(world: RealWorld, of: Claim = CLAIM) -> None:
    world.carry_out(act.TakeClaim("r1u04", of), 60)


def at_home(server: TestServer, action: Action) -> Action:
    """The action, on the test's server instead of one at 10.0.1.4."""
    if isinstance(action, act.Init | act.Join):
        return replace(action, node=server.node)
    return action


def told(server: TestServer) -> list[str]:
    """The changes asked of the kubectl marker, without the options that all of them have."""
    always = (
        "kubeconfig server cache-dir request-timeout ignore-daemonsets delete-emptydir-data force "
        "overwrite"
    )
    common = tuple(f"--{option}" for option in always.split())
    looks = tuple(
        f" get {kind} " for kind in ("nodes", "node", "volumeattachments", "pods", BUDGETS)
    )
    lines = [line for line in server.calls.splitlines() if not any(look in line for look in looks)]
    calls = [line.split()[1:] for line in lines]
    return [" ".join(word for word in words if not word.startswith(common)) for words in calls]
