"""What changes while an action waits for its lock, or looks, for real: through a real sshd."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from worlds.samples import CLAIM, FOREIGN, OURS, changing, named
from worlds.sshd import TestServer

from reach.conftest import at_home, claim
from rpool.errors import NotClaimed, Refused
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Claim, Phase
from rpool.reach.world import RealWorld

CLAIM_FILE = "/var/lib/rpool/claim"
SERVER_LOCK = "/run/rpool/server.lock"
CLAIM_LOCK = "/run/rpool/claim.lock"
INIT = next(action for action in changing() if isinstance(action, act.Init))


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Locks the file, new if need be, as another process would; yields its inode."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path.stat().st_ino


def waiting_for(*inodes: int) -> bool:
    """Whether a process waits for the lock of one of these files."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any(" -> " in line and line.endswith(f":{i} 0 EOF") for line in lines for i in inodes)


def await_that(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def replace_claim(server: TestServer, by: Claim) -> None:
    new = server.path(f"{CLAIM_FILE}.test")
    new.write_text(json.dumps(by.as_dict(), indent=1))
    new.rename(server.path(CLAIM_FILE))


@pytest.mark.parametrize("action", changing(), ids=named)
def test_no_action_touches_a_server_that_was_lost_while_it_waited(
    world: RealWorld, server: TestServer, action: Action
) -> None:
    """A claim that is ours before the lock is taken may be another cluster's once it is."""
    claim(world)
    with ThreadPoolExecutor(1) as thread:
        with ExitStack() as stack:
            locks = [stack.enter_context(held(server.path(p))) for p in (SERVER_LOCK, CLAIM_LOCK)]
            done: Future[object] = thread.submit(world.carry_out, at_home(server, action), 60)
            await_that(lambda: waiting_for(*locks))
            replace_claim(server, FOREIGN)
            before = server.snapshot()
        with pytest.raises(Refused, match="is claimed by cluster other"):
            done.result()
    assert server.snapshot() == before
    assert server.calls == ""


def test_a_lock_file_that_its_holder_has_removed_locks_nothing(
    world: RealWorld, server: TestServer
) -> None:
    """A reset removes it, and the next action locks a new one: both would work here at once."""
    claim(world)
    path = server.path(SERVER_LOCK)
    with ThreadPoolExecutor(1) as thread, ExitStack() as later:
        with held(path) as removed:
            done = thread.submit(world.carry_out, at_home(server, INIT), 60)
            await_that(lambda: waiting_for(removed))
            path.unlink()
            new = later.enter_context(held(path))
        await_that(lambda: waiting_for(new) or done.done())
        assert server.calls == ""
        later.close()
        done.result()
    assert "kubeadm init" in server.calls


@pytest.mark.parametrize("looking", ["sed", "cat"])
def test_a_claim_that_goes_while_a_guard_looks_is_no_claim(
    world: RealWorld, server: TestServer, looking: str
) -> None:
    """So the slower of two destroys sees that all is given back."""
    claim(world)
    server.marker(looking, f'rm -f {CLAIM_FILE}; exec /usr/bin/{looking} "$@"')
    with pytest.raises(NotClaimed, match="r1u04 is not claimed"):
        world.carry_out(act.SetPhase("r1u04", OURS, Phase.LEAVING), 60)


def test_a_claim_that_goes_while_the_server_is_claimed_leaves_it_free(
    world: RealWorld, server: TestServer
) -> None:
    claim(world, FOREIGN)
    server.marker("cat", f'rm -f {CLAIM_FILE}; exec /usr/bin/cat "$@"')
    claim(world)
    server.marker("cat", 'exec /usr/bin/cat "$@"')
    assert world.probe("r1u04").claim == CLAIM
