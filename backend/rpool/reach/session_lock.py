"""A cluster's session lock on a server: a process there that lives on our heartbeats.

The server frees the lock after 30 s of silence, by its own clock. So the lock is ours for certain
only until 30 s after the *sending* of the last heartbeat that was answered; `lost()` turns true a
little earlier, for good. Time is counted through suspend: a laptop that slept has lost its locks.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import threading
import time
from contextlib import ExitStack, suppress
from types import TracebackType

import paramiko

from rpool.errors import OutcomeUnknown, RpoolError, Unreachable
from rpool.model.pool import PoolUid
from rpool.reach.script import compose
from rpool.reach.ssh import Completed, Session
from rpool.reach.verdict import failure

SILENCE_SECONDS = 30
MARGIN_SECONDS = 5.0
BEAT_SECONDS = 5.0
RELEASE_SECONDS = 2.0
MOST_BYTES = 1 << 16  # of an answer
DIGITS = re.compile(rb"[0-9]{0,9}")
GIVEN = re.compile(rb"[0-9]{1,9}h")  # the number of the latest session there, and that we hold it
MOST_ANSWERS = 8  # that have come since the last heartbeat; a keeper of ours sends one


def seconds_awake_or_not() -> float:
    """A clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class HeldLock:
    """Holds the lock while it is entered. Raises Refused when another operation has it."""

    def __init__(
        self,
        session: Session,
        uid: PoolUid,
        beat_seconds: float = BEAT_SECONDS,
        patience_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`patience_seconds` is for the answer: whether we have the lock, or why not."""
        self._session = session
        self._patience_seconds = patience_seconds
        self._uid = uid
        self._beat_seconds = beat_seconds
        self._stack = ExitStack()
        self._over = threading.Event()
        self._held_until = 0.0
        self._number = 0
        self._channel: paramiko.Channel | None = None

    def lost(self) -> bool:
        return self._over.is_set() or seconds_awake_or_not() >= self._held_until

    @property
    def number(self) -> int:
        return self._number

    def __enter__(self) -> HeldLock:
        channel = self._stack.enter_context(self._session.channel(self._script()))
        try:
            self._await_hold(channel)
        except BaseException:
            self._stack.close()
            raise
        self._channel = channel
        beating = threading.Thread(target=self._beat_on, args=(channel,), daemon=True, name="lock")
        beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The lock is free when this returns: the next operation may be our own."""
        self._over.set()
        try:
            if self._channel is not None:
                self._channel.shutdown_write()
                self._channel.status_event.wait(RELEASE_SECONDS)
        except (paramiko.SSHException, EOFError, OSError):
            pass  # contact is lost, and the server frees it by itself
        finally:
            self._stack.close()

    def _script(self) -> str:
        """As an argument, since standard input is the heartbeat; it holds no secret."""
        variables = {
            "POOL_UID": self._uid,
            "HOLDER": f"{_user()}@{socket.gethostname()}, process {os.getpid()}, "
            f"since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}",
            "SILENCE_SECONDS": str(SILENCE_SECONDS),
        }
        return compose(("library", "guard", "lock"), variables, stdin="heartbeat")

    def _await_hold(self, channel: paramiko.Channel) -> None:
        sent = seconds_awake_or_not()
        deadline = time.monotonic() + self._patience_seconds
        try:
            answer = _first_word(channel, deadline)
            if GIVEN.fullmatch(answer):
                self._number = int(answer[:-1])
                self._extend(sent)
                return
            ended = _end_of(channel, answer, deadline)
        except (paramiko.SSHException, EOFError, OSError):
            raise Unreachable(f"{self._session.server.name} gave no answer about a lock") from None
        raise self._refusal(ended)

    def _refusal(self, ended: Completed) -> RpoolError:
        server = self._session.server.name
        error = failure("taking the cluster's lock", server, ended)
        return error or OutcomeUnknown(f"{server} ended the cluster's lock at once")

    def _extend(self, sent: float) -> None:
        self._held_until = sent + SILENCE_SECONDS - MARGIN_SECONDS

    def _beat_on(self, channel: paramiko.Channel) -> None:
        """Until the lock is given up or lost; every answer extends it from when we asked."""
        channel.settimeout(SILENCE_SECONDS - MARGIN_SECONDS)
        try:
            while not self._over.wait(self._beat_seconds):
                sent = seconds_awake_or_not()
                channel.sendall(b"b")
                answer = channel.recv(MOST_BYTES)
                talks = len(answer) > MOST_ANSWERS or channel.recv_stderr_ready()
                if not answer or answer.strip(b"a") or talks or self.lost():
                    break
                self._extend(sent)
        except (paramiko.SSHException, EOFError, OSError):
            pass
        if self._over.is_set():
            return  # who lets it go waits for the script's end: a closed channel would hide that
        self._over.set()
        with suppress(paramiko.SSHException, EOFError, OSError):
            channel.close()  # what it goes on to say is not kept


def _first_word(channel: paramiko.Channel, deadline: float) -> bytes:
    """What gives the lock, or what was read until it could not be that any more."""
    answer = b""
    while DIGITS.fullmatch(answer):
        part = _within(channel, deadline).recv(1)
        if not part:
            break
        answer += part
    return answer


def _end_of(channel: paramiko.Channel, printed: bytes, deadline: float) -> Completed:
    """How the script ended that gave no lock; `printed` was read already. Raises TimeoutError when
    that takes until the deadline, however lively the server is.
    """
    while part := _within(channel, deadline).recv(1 << 16):
        printed += part
        if len(printed) > MOST_BYTES:
            raise TimeoutError
    channel.status_event.wait(5)
    return Completed(channel.exit_status, printed, _within(channel, deadline).recv_stderr(1 << 16))


def _within(channel: paramiko.Channel, deadline: float) -> paramiko.Channel:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    channel.settimeout(left)
    return channel


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no passwd entry, as in a container of some CI
        return "unknown"
