"""What a server that does not answer costs: packets to it vanish, or its sshd says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import pytest
from worlds.sshd import TestServer, free_port

from rpool.errors import Unreachable
from rpool.reach.keys import load_private_key
from rpool.reach.ssh import Session

GUARD_SECONDS = 60


@contextmanager
def deaf() -> Iterator[int]:
    """A port that answers nothing: its queue is full, and Linux drops what asks for more."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def dumb() -> Iterator[tuple[int, Callable[[], int]]]:
    """A port that takes connections and says nothing, and how many it has taken."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)

        def taken() -> int:
            count = 0
            while True:
                try:
                    stack.enter_context(listener.accept()[0])
                except BlockingIOError:
                    return count
                count += 1

        yield listener.getsockname()[1], taken


def session(server: TestServer, port: int, seconds: float) -> Session:
    site = server.site()
    ssh = replace(site.ssh, connect_timeout_seconds=seconds)
    return Session(replace(server.node, port=port), ssh, load_private_key(ssh.private_key))


def test_whoever_is_done_does_not_wait_for_a_server_that_does_not_answer(
    server: TestServer,
) -> None:
    with deaf() as port, ThreadPoolExecutor(2) as pool:
        ssh = session(server, port, seconds=3600)
        answers = [pool.submit(ssh.run, "true") for _ in range(2)]
        threading.Event().wait(0.2)  # they may be on their way by now, or not yet
        ssh.close()
        for answer in answers:
            with pytest.raises(Unreachable, match="r1u04"):
                answer.result(GUARD_SECONDS)


def test_many_who_ask_a_dead_server_at_once_wait_for_it_once(server: TestServer) -> None:
    with dumb() as (port, taken), closing(session(server, port, seconds=2)) as ssh:
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(ssh.run, "true") for _ in range(4)]
        for answer in answers:
            with pytest.raises(Unreachable, match="no SSH there"):
                answer.result()
        assert taken() == 1
        with pytest.raises(Unreachable, match="no SSH there"):
            ssh.run("true")  # another look is another try
        assert taken() == 1


def test_a_server_that_is_back_is_reached_by_the_session_that_found_it_dead(
    server: TestServer,
) -> None:
    gone = replace(server, port=free_port())
    with closing(session(gone, gone.port, seconds=5)) as ssh:
        with pytest.raises(Unreachable):
            ssh.run("true")
        ssh.server = replace(ssh.server, port=server.port)
        assert ssh.run("echo back").stdout == b"back\n"
