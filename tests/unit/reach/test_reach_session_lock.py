"""The session lock against a real sshd: what is left of it, and that crash and silence free it.
What a modelled server promises as well is in `tests/contract`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import paramiko
import pytest
from worlds.samples import CLAIM
from worlds.sshd import TestServer

from rpool.errors import Refused, RpoolError
from rpool.model import action as act
from rpool.reach import session_lock
from rpool.reach.keys import load_private_key
from rpool.reach.session_lock import HeldLock
from rpool.reach.ssh import Session, Sessions
from rpool.reach.world import RealWorld


@pytest.fixture
def world(server: TestServer) -> Iterator[RealWorld]:
    with closing(RealWorld(server.site())) as world:
        yield world


def free(world: RealWorld) -> bool:
    try:
        with world.lock("r1u04", "0badcafe") as lock:
            return not lock.lost()
    except Refused:
        return False


def test_a_second_operation_is_told_who_holds_the_lock(world: RealWorld) -> None:
    with world.lock("r1u04", "0badcafe"):
        with pytest.raises(Refused, match="another operation") as caught:
            world.lock("r1u04", "0badcafe").__enter__()
        assert f"process {os.getpid()}" in caught.value.detail


@pytest.mark.parametrize("user", ["hans", "12hans"])
def test_a_holder_s_name_is_never_taken_for_the_lock(
    world: RealWorld, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """A server that gives the lock answers `h`, and the name of its holder may begin with one."""
    monkeypatch.setenv("LOGNAME", user)
    with world.lock("r1u04", "0badcafe"):
        with pytest.raises(Refused, match="another operation") as caught:
            world.lock("r1u04", "0badcafe").__enter__()
        assert f"{user}@" in caught.value.detail


def test_a_lock_and_a_number_are_left_of_a_reset_and_the_lock_goes_with_its_holder(
    server: TestServer, world: RealWorld
) -> None:
    world.carry_out(act.TakeClaim("r1u04", CLAIM), 60)
    with world.lock("r1u04", CLAIM.uid):
        world.carry_out(act.Reset("r1u04", CLAIM.ownership, None), 100)
        assert left_of(server) == {f"session-{CLAIM.uid}.lock", f"session-{CLAIM.uid}.number"}
    end = time.monotonic() + 5
    while left_of(server) != {f"session-{CLAIM.uid}.number"}:
        assert time.monotonic() < end
        time.sleep(0.05)


def left_of(server: TestServer) -> set[str]:
    return {path.name for path in server.path("/run/rpool").iterdir()}


def test_a_holder_that_is_gone_frees_the_lock_at_once(server: TestServer, world: RealWorld) -> None:
    other = RealWorld(server.site())
    other.lock("r1u04", "0badcafe").__enter__()
    assert not free(world)
    other.close()
    end = time.monotonic() + 5
    while not free(world):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_holder_that_is_silent_loses_the_lock_and_knows_it_first(
    server: TestServer, world: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 3 s instead of 30: the holder's beats never come, as behind a cut cable."""
    monkeypatch.setattr(session_lock, "SILENCE_SECONDS", 3)
    monkeypatch.setattr(session_lock, "MARGIN_SECONDS", 1.0)
    with closing(Sessions(server.site().fleet, server.site().ssh)) as sessions:
        mute = HeldLock(sessions.session("r1u04"), "0badcafe", beat_seconds=60)
        mute.__enter__()
        taken = time.monotonic()
        assert not free(world)
        while not mute.lost():
            time.sleep(0.05)
        assert time.monotonic() - taken < 2.5
        assert not free(world)
        time.sleep(max(0.0, taken + 3.5 - time.monotonic()))
        assert free(world)


def test_a_lock_that_is_fed_outlives_the_silence_limit(
    server: TestServer, world: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_lock, "SILENCE_SECONDS", 5)
    monkeypatch.setattr(session_lock, "MARGIN_SECONDS", 0.5)
    with closing(Sessions(server.site().fleet, server.site().ssh)) as sessions:
        with HeldLock(sessions.session("r1u04"), "0badcafe", beat_seconds=0.5) as lock:
            time.sleep(7)  # longer than the limit, and a busy machine has 4.5 s for each beat
            assert not lock.lost()
            assert not free(world)
        assert lock.lost()


def test_a_killed_lock_process_frees_the_lock_and_the_holder_notices(
    server: TestServer, world: RealWorld
) -> None:
    with (
        closing(Sessions(server.site().fleet, server.site().ssh)) as sessions,
        HeldLock(sessions.session("r1u04"), "0badcafe", beat_seconds=0.2) as lock,
    ):
        for pid in lock_processes():
            os.kill(pid, signal.SIGKILL)
        assert free(world)
        time.sleep(1)
        assert lock.lost()


def lock_processes() -> list[int]:
    listed = subprocess.run(
        ["pgrep", "-f", "^sh -c .*POOL_UID=0badcafe"], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in listed.stdout.split()]


class Answering(Session):
    """A server that answers a lock with what it likes."""

    answer = ""

    @contextmanager
    def channel(self, command: str) -> Iterator[paramiko.Channel]:
        with super().channel(self.answer) as channel:
            yield channel


@pytest.mark.parametrize(
    "answer",
    [
        "while :; do printf x; sleep 0.2; done",
        "yes",
        "yes 1 | tr -d '\\n'",
        "printf h; sleep 60",
        "printf 1234567890h; sleep 60",
        "printf -- -1h; sleep 60",
        "printf 12; sleep 60",
        "exec 1>&-; sleep 60",
        "yes >&2 & exec 1>&-; sleep 60",
    ],
    ids=[
        "a byte now and then",
        "without end",
        "digits without end",
        "no number",
        "a number too long",
        "a number below none",
        "half an answer",
        "silence",
        "errors without end",
    ],
)
def test_a_server_that_neither_gives_a_lock_nor_says_why_is_not_waited_for(
    server: TestServer, answer: str
) -> None:
    site = server.site()
    key = load_private_key(site.ssh.private_key)
    with closing(Answering(server.node, site.ssh, key)) as session:
        session.answer = answer
        began = time.monotonic()
        with pytest.raises(RpoolError, match="r1u04"):
            HeldLock(session, "0badcafe", patience_seconds=2.0).__enter__()
        assert time.monotonic() - began < 12
